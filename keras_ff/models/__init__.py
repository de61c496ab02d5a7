"""Keras models made of potentials."""

from keras_ff.models.files import astype, load
from keras_ff.models.force_field import ForceField

__all__ = ["ForceField", "astype", "load"]
