"""Integrals over three harmonics: the product of two is what they say, signs included."""

import numpy as np
import pytest
from keras import ops

from keras_ff.layers import spherical_harmonics
from keras_ff.layers.couplings import gaunt_coefficients

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
