"""Active learning: which structures to label next, and a loop that labels them and trains."""

from keras_ff.active.bias import UncertaintyBias, adversarial
from keras_ff.active.exploring import explore
from keras_ff.active.loop import ActiveLearning
from keras_ff.active.picking import pick, scores, uncertainty

__all__ = ["ActiveLearning", "UncertaintyBias", "adversarial", "explore", "pick", "scores", "uncertainty"]
