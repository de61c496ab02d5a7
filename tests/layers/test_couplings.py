"""Integrals over three harmonics: the product of two is what they say, signs included."""

import numpy as np
import pytest
from keras import ops

from keras_ff import backend
from keras_ff.layers import solid_harmonics, spherical_harmonics
from keras_ff.layers.couplings import gaunt_coefficients, harmonic_gradients

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("orders", [(1, 1), (1, 2), (2, 3)])
def test_they_expand_the_product_of_two_harmonics(orders):
    directions = np.random.default_rng(0).normal(size=(5, 3))
    harmonics = [ops.convert_to_numpy(values) for values in spherical_harmonics(directions, sum(orders))]
    product = harmonics[orders[0]][:, :, None] * harmonics[orders[1]][:, None]
    expanded = sum(np.einsum("abc,pc->pab", gaunt_coefficients(*orders, l), harmonics[l]) for l in range(sum(orders) + 1))
    np.testing.assert_allclose(expanded, product, atol=1e-13)


def test_a_value_from_a_table():
    # Of Y_10 Y_10 Y_20, 1 / sqrt(5 pi).
    assert gaunt_coefficients(1, 1, 2)[1, 1, 2] == pytest.approx(1 / np.sqrt(5 * np.pi), abs=1e-14)


def test_gradients_of_solid_harmonics_are_those_of_the_backend():
    points = np.random.default_rng(1).normal(size=(4, 3))
    values = [ops.convert_to_numpy(x) for x in solid_harmonics(points, 4)]
    for l in range(1, 5):
        expected = np.einsum("mxk,pk->pmx", harmonic_gradients(l), values[l - 1])
        for axis, direction in enumerate(np.eye(3)):
            moves = np.broadcast_to(direction, points.shape)
            _, slopes = backend.jvp(lambda x: solid_harmonics(x, 4), (points,), (moves,))
            np.testing.assert_allclose(ops.convert_to_numpy(slopes[l]), expected[..., axis], atol=1e-12)
