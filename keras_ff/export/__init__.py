"""Export of force fields to files that run without this library."""

from keras_ff.export.artifact import export

__all__ = ["export"]
