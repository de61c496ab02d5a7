"""Keras models made of potentials."""

from keras_ff.models.ensemble import Ensemble
from keras_ff.models.files import astype, load
from keras_ff.models.force_field import ForceField

__all__ = ["Ensemble", "ForceField", "astype", "load"]
