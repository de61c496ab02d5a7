"""Real spherical harmonics against SciPy's complex ones and the addition theorem."""

import numpy as np
import pytest
from keras import ops
from scipy.special import eval_legendre, sph_harm_y

from keras_ff import backend
from keras_ff.layers import solid_harmonics, spherical_harmonics

pytestmark = pytest.mark.usefixtures("float64")

L_MAX = 8
VECTORS = np.concatenate([np.random.default_rng(0).normal(size=(20, 3)), np.eye(3), -np.eye(3)])


def harmonics(vectors, l_max=L_MAX, function=spherical_harmonics):
    return [ops.convert_to_numpy(values) for values in function(ops.convert_to_tensor(vectors), l_max)]


def real_harmonic(l, m, vectors):
    """From the complex harmonics of SciPy, which carry the Condon-Shortley phase."""
    theta = np.arccos(vectors[:, 2] / np.linalg.norm(vectors, axis=1))
    complex_values = sph_harm_y(l, abs(m), theta, np.arctan2(vectors[:, 1], vectors[:, 0]))
    if m == 0:
        return complex_values.real
    return np.sqrt(2) * (-1) ** m * (complex_values.real if m > 0 else complex_values.imag)


def test_they_are_those_of_scipy():
    for l, values in enumerate(harmonics(VECTORS)):
        for m in range(-l, l + 1):
            np.testing.assert_allclose(values[:, l + m], real_harmonic(l, m, VECTORS), atol=2e-14, err_msg=f"l={l}, m={m}")


def test_addition_theorem():
    cosines = np.clip(VECTORS @ VECTORS.T / np.outer(*[np.linalg.norm(VECTORS, axis=1)] * 2), -1, 1)
    for l, values in enumerate(harmonics(VECTORS)):
        np.testing.assert_allclose(values @ values.T, (2 * l + 1) / (4 * np.pi) * eval_legendre(l, cosines), atol=1e-13)


def test_solid_harmonics_are_homogeneous():
    lengths = np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for l, (solid, surface) in enumerate(zip(harmonics(VECTORS, function=solid_harmonics), harmonics(VECTORS))):
        np.testing.assert_allclose(solid, lengths**l * surface, rtol=1e-12, atol=1e-13)


def test_a_zero_vector_has_finite_values_and_derivatives():
    def total(vectors):
        return sum(ops.sum(values) for values in spherical_harmonics(vectors, 4))

    zero = ops.zeros((1, 3), dtype="float64")
    assert ops.convert_to_numpy(total(zero)) == pytest.approx(np.sqrt(1 / (4 * np.pi)))
    assert np.isfinite(ops.convert_to_numpy(backend.grad(total)(zero))).all()
