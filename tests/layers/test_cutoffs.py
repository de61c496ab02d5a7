"""Both cutoffs against their closed forms, at the edges above all."""

import numpy as np
import pytest
from keras import ops

from keras_ff import backend
from keras_ff.layers import cosine_cutoff, polynomial_cutoff

pytestmark = pytest.mark.usefixtures("float64")

R = np.array([0.0, 0.3, 1.7, 2.5, 4.0, 4.999, 5.0, 5.001, 9.0])


def values(function, *args):
    return ops.convert_to_numpy(function(ops.convert_to_tensor(R), *args))


def derivatives(function, r, *args):
    """First and second derivative at the distances r."""

    def total(r):
        return ops.sum(function(r, *args))

    first = backend.grad(total)
    r = ops.convert_to_tensor(np.asarray(r))
    second = backend.grad(lambda r: ops.sum(first(r)))
    return ops.convert_to_numpy(first(r)), ops.convert_to_numpy(second(r))


def test_cosine_is_half_a_wave():
    expected = np.where(R < 5.0, 0.5 * (1 + np.cos(np.pi * R / 5.0)), 0.0)
    np.testing.assert_allclose(values(cosine_cutoff, 5.0), expected, atol=1e-15)


def test_polynomial_is_the_one_of_degree_five():
    x = np.clip(R / 5.0, 0, 1)
    np.testing.assert_allclose(values(polynomial_cutoff, 5.0), 1 - 10 * x**3 + 15 * x**4 - 6 * x**5, atol=1e-14)


def test_onset_leaves_one_below_it():
    result = values(polynomial_cutoff, 5.0, 2.0)
    assert (result[R <= 2.0] == 1.0).all() and (result[R >= 5.0] == 0.0).all()
    x = (2.5 - 2.0) / 3.0
    assert result[3] == pytest.approx(1 - 10 * x**3 + 15 * x**4 - 6 * x**5, abs=1e-15)


def test_polynomial_has_two_continuous_derivatives():
    first, second = derivatives(polynomial_cutoff, [2.0 - 1e-7, 2.0 + 1e-7, 5.0 - 1e-7, 5.0 + 1e-7], 5.0, 2.0)
    np.testing.assert_allclose(first, 0.0, atol=1e-12)
    np.testing.assert_allclose(second, 0.0, atol=1e-5)


def test_cosine_has_one_continuous_derivative():
    first, second = derivatives(cosine_cutoff, [5.0 - 1e-7, 5.0 + 1e-7], 5.0)
    np.testing.assert_allclose(first, 0.0, atol=1e-6)
    np.testing.assert_allclose(second, [0.5 * (np.pi / 5.0) ** 2, 0.0], atol=1e-6)
