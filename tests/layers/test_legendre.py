"""Polynomials of a cosine: values, laws, curvature."""

import numpy as np
import pytest
from keras import ops
from numpy.polynomial import legendre
from scipy.integrate import quad

from keras_ff.layers import LegendreSeries
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")

COEFFICIENTS = np.random.default_rng(0).normal(size=(6, 3))


@pytest.mark.parametrize("degree", [0, 1, 5])
def test_values_are_those_of_numpy(degree):
    x = np.linspace(-1.0, 1.0, 7)
    found = ops.convert_to_numpy(LegendreSeries(COEFFICIENTS[: degree + 1])(x))
    np.testing.assert_allclose(found, legendre.legval(x, COEFFICIENTS[: degree + 1]).T, atol=1e-14)


def test_laws():
    check_layer(LegendreSeries(COEFFICIENTS, roughness=0.1), np.random.default_rng(1).uniform(-1, 1, size=(4, 5)))


def test_roughness_is_the_integral_of_the_squared_curvature():
    series = LegendreSeries(COEFFICIENTS, roughness=0.1)
    curvature = legendre.legder(COEFFICIENTS, 2)
    expected = 0.1 * quad(lambda x: np.sum(legendre.legval(x, curvature) ** 2), -1.0, 1.0)[0]
    assert float(series.losses[0]) == pytest.approx(expected, rel=1e-12)
