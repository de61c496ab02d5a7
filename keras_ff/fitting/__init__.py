"""Fits of models to properties, averages over simulations, and labeled structures."""

from keras_ff.fitting.fit import Fit
from keras_ff.fitting.targets import DataTarget, Target

__all__ = ["DataTarget", "Fit", "Target"]
