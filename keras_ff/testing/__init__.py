"""The laws that every potential and layer must pass; for the tests of this library and of yours."""

from keras_ff.testing.backends import backends_agree, other_backend, predict_in_backend
from keras_ff.testing.checks import check_layer, check_potential, potential_results
from keras_ff.testing.copy_laws import new_elements, saving, single_precision
from keras_ff.testing.derivative_laws import (
    continuity,
    double_precision,
    finite_numbers,
    forces_are_derivatives,
    stress_is_a_derivative,
)
from keras_ff.testing.evaluation_laws import repetition, uncompiled
from keras_ff.testing.falling import nothing_falls
from keras_ff.testing.law import LawResult
from keras_ff.testing.member_laws import members
from keras_ff.testing.probe import Probe
from keras_ff.testing.symmetry_laws import isolated_atoms, padding, permutation, reflection, rotation, supercell, translation
from keras_ff.testing.weight_laws import coincident_atoms, parameter_curvature, parameter_gradient

__all__ = [
    "LawResult",
    "Probe",
    "backends_agree",
    "check_layer",
    "check_potential",
    "coincident_atoms",
    "continuity",
    "double_precision",
    "finite_numbers",
    "forces_are_derivatives",
    "isolated_atoms",
    "members",
    "new_elements",
    "nothing_falls",
    "other_backend",
    "padding",
    "parameter_curvature",
    "parameter_gradient",
    "permutation",
    "potential_results",
    "predict_in_backend",
    "reflection",
    "repetition",
    "rotation",
    "saving",
    "single_precision",
    "stress_is_a_derivative",
    "supercell",
    "translation",
    "uncompiled",
]
