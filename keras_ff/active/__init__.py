"""Active learning: which structures to compute next, and a loop that computes them and trains."""

from keras_ff.active.adversarial import UncertaintyBias, adversarial
from keras_ff.active.exploring import explored
from keras_ff.active.loop import ActiveLearning
from keras_ff.active.picking import pick, scores, uncertainty

__all__ = ["ActiveLearning", "UncertaintyBias", "adversarial", "explored", "pick", "scores", "uncertainty"]
