"""The laws that every potential and layer must pass; for the tests of this library and of yours."""

from keras_ff.testing.backends import backends_agree, other_backend, predict_in_backend
from keras_ff.testing.checks import check_layer, check_potential, potential_results
from keras_ff.testing.law import LawResult
from keras_ff.testing.potential_laws import (
    continuity,
    forces_are_derivatives,
    isolated_atoms,
    padding,
    permutation,
    reflection,
    rotation,
    stress_is_a_derivative,
    supercell,
    translation,
)
from keras_ff.testing.probe import Probe
from keras_ff.testing.weight_laws import coincident_atoms, parameter_curvature, parameter_gradient, saving

__all__ = [
    "LawResult",
    "Probe",
    "backends_agree",
    "check_layer",
    "check_potential",
    "coincident_atoms",
    "continuity",
    "forces_are_derivatives",
    "isolated_atoms",
    "other_backend",
    "padding",
    "parameter_curvature",
    "parameter_gradient",
    "permutation",
    "potential_results",
    "predict_in_backend",
    "reflection",
    "rotation",
    "saving",
    "stress_is_a_derivative",
    "supercell",
    "translation",
]
