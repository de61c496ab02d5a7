"""Keras models made of potentials: force fields, ensembles, and the functions that prepare, grade and convert them."""

from keras_ff.models.calibration import Isotonic, Scaling, correlation, miscalibration, reliability
from keras_ff.models.domains import spline_domains
from keras_ff.models.ensemble import Ensemble
from keras_ff.models.extrapolation import Extrapolation, extrapolation_grades, learn_extrapolation
from keras_ff.models.files import astype, load
from keras_ff.models.force_field import ForceField
from keras_ff.models.linear import fit_linear
from keras_ff.models.members import joined, member
from keras_ff.models.preset_files import presets

__all__ = [
    "Ensemble",
    "Extrapolation",
    "ForceField",
    "Isotonic",
    "Scaling",
    "astype",
    "correlation",
    "extrapolation_grades",
    "fit_linear",
    "joined",
    "learn_extrapolation",
    "load",
    "member",
    "miscalibration",
    "presets",
    "reliability",
    "spline_domains",
]
