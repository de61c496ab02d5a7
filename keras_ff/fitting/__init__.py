"""Fitting models to properties and to data, through the simulation."""

from keras_ff.fitting.fit import Fit
from keras_ff.fitting.targets import DataTarget, Target

__all__ = ["DataTarget", "Fit", "Target"]
