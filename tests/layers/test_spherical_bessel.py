"""Radial functions against numerical quadrature and the closed form of their parts."""

import numpy as np
import pytest
from keras import ops
from scipy.special import spherical_jn

from keras_ff.layers import SphericalBessel
from keras_ff.layers.spherical_bessel import bessel_roots, orthonormal_functions
from keras_ff.testing import check_layer

CUTOFF, N_MAX = 3.7, 6


@pytest.fixture
def layer(float64):
    return SphericalBessel(CUTOFF, N_MAX, dtype="float64")


def evaluate(layer, r):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(np.asarray(r, dtype="float64"))))


@pytest.mark.slow_on_tensorflow
@pytest.mark.usefixtures("float64")
def test_laws():
    """Of fewer orders: what is compiled grows with them."""
    check_layer(SphericalBessel(CUTOFF, 3, dtype="float64"), np.linspace(0.1, CUTOFF - 0.1, 9))


def test_roots_are_roots():
    for l, roots in enumerate(bessel_roots(8, 10)):
        np.testing.assert_allclose(spherical_jn(l, roots), 0.0, atol=1e-14)
        assert (np.diff(roots) > 3.0).all() and roots[0] > l


def test_orthonormal_with_weight_r_squared(layer):
    points, weights = np.polynomial.legendre.leggauss(200)
    r, weights = 0.5 * CUTOFF * (points + 1), 0.5 * CUTOFF * weights
    values = evaluate(layer, r)
    first = 0
    for count in layer.counts:
        g = values[:, first : first + count]
        np.testing.assert_allclose(g.T @ (g * (weights * r**2)[:, None]), np.eye(count), atol=1e-11)
        first += count


def test_series_equals_the_spherical_bessel_functions(layer):
    r = np.linspace(1e-3, CUTOFF - 1e-9, 300)
    expected = orthonormal_functions(r / CUTOFF, N_MAX) / CUTOFF**1.5
    np.testing.assert_allclose(evaluate(layer, r), expected, atol=2e-12 * np.abs(expected).max())


def test_value_and_two_derivatives_vanish_at_the_cutoff(layer):
    h = 1e-3
    inside = evaluate(layer, CUTOFF - h * np.arange(1, 4))
    # A function that vanishes as (cutoff - r)^3 has the ratios 1 : 8 : 27.
    np.testing.assert_allclose(inside[1], 8 * inside[0], rtol=2e-2, atol=1e-12)
    np.testing.assert_allclose(inside[2], 27 * inside[0], rtol=4e-2, atol=1e-12)
    assert np.abs(inside[0]).max() < 1e3 * (h / CUTOFF) ** 3
    # At the cutoff itself, rounding decides on which side it is.
    assert np.abs(evaluate(layer, [CUTOFF, CUTOFF + 1e-9, 2 * CUTOFF])).max() < 1e-10


@pytest.mark.parametrize("arguments", [(0.0, 4), (-1.0, 4), (float("nan"), 4), (3.0, -1), (3.0, 17), (3.0, 2.5)])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Received"):
        SphericalBessel(*arguments)
