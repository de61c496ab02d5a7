"""Numbers that make no sense, in the constructors of potentials and descriptors: each a sentence that names the argument."""

import numpy as np
import pytest

from keras_ff.layers import SplineFilters
from keras_ff.potentials import NeuralIL, PairSpline, SplineMEAM, SplineNetwork

NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "name", "values"),
    [
        (lambda **given: NeuralIL(["Si"], **given), "n_max", [-1, 17, 2.5, NAN, "4"]),
        (lambda **given: NeuralIL(["Si"], **{"n_max": 1, **given}), "cutoff", [0, -1, NAN, np.inf, "5"]),
        (lambda **given: NeuralIL(["Si"], n_max=1, **given), "members", [0, -1, 1.5, NAN, "3"]),
        (lambda **given: NeuralIL(["Si"], n_max=1, **given), "embedding", [-1, 1.5, NAN]),
        (lambda **given: NeuralIL(["Si"], n_max=1, **given), "seed", [-1, 1.5, NAN, None]),
        (lambda **given: NeuralIL(["Si"], n_max=1, **given), "units", [(0,), (-3,), (2.5,), 5]),
        (lambda **given: SplineNetwork(["Si"], **given), "triplet_cutoff", [0, -1, NAN, 9.0]),
        (lambda **given: SplineFilters(4.5, **given), "pairs", [-1, 1.5, NAN]),
        (lambda **given: SplineFilters(4.5, **given), "triplets", [-1, (2, -1), (2, NAN)]),
        (lambda **given: SplineFilters(4.5, **given), "knots", [(1, 1), (5, 0), 1]),
        (lambda **given: SplineFilters(4.5, **given), "degree", [-1, 2.5]),
        (lambda **given: SplineFilters(4.5, **given), "roughness", [-1, NAN]),
        (lambda **given: SplineFilters(4.5, **given), "shortest", [-1, NAN, 5.0]),
        (lambda **given: SplineMEAM.untrained(["Ti"], **given), "cutoff", [0, -1, NAN]),
        (lambda **given: SplineMEAM.untrained(["Ti"], **given), "triplet_cutoff", [0, -1, NAN, 9.0]),
        (lambda **given: SplineMEAM.untrained(["Ti"], **given), "knots", [0, 1, -1, 2.5, NAN]),
        (lambda **given: PairSpline(["Ti"], **given), "knots", [0, 1, 2.5, NAN]),
        (lambda **given: PairSpline(["Ti"], **given), "roughness", [-1, NAN]),
    ],
)
def test_numbers_that_make_no_sense_are_a_sentence(make, name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"Received.*{name}="):
            make(**{name: value})


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match=f"float32 or float64.*Received the dtype policy '{dtype}'"):
        NeuralIL(["Si"], n_max=1, dtype=dtype)
