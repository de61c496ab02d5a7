"""Integrals over three spherical harmonics: their coupling to a number that no rotation changes, and their gradients."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from keras_ff.layers.harmonics import normalization

# Integrals below this are rounding errors.
ZERO = 1e-12


def gaunt_coefficients(l1: int, l2: int, l3: int) -> np.ndarray:
    """Integrals over the unit sphere of the products of three real spherical harmonics.

    Args:
        l1: Order of the first one.
        l2: Order of the second one.
        l3: Order of the third one.

    Returns:
        float64 array `(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)`; 0 unless l1 + l2 + l3 is even and no order exceeds
        the sum of the others.

    Example:
        >>> from keras_ff.layers.couplings import gaunt_coefficients
        >>> gaunt_coefficients(0, 1, 1)[0].diagonal().round(4).tolist()  # 1 / sqrt(4 pi)
        [0.2821, 0.2821, 0.2821]

    Reference:
        Gaunt, Philos. Trans. R. Soc. A 228, 151 (1929).
    """
    # A Gauss-Legendre grid in cos(theta) and equal steps of phi integrate polynomials of this order exactly.
    count = l1 + l2 + l3 + 2
    cosines, weights = np.polynomial.legendre.leggauss(count)
    angles = np.pi * np.arange(2 * count) / count
    first, second, third = (_harmonics(cosines, angles, l) for l in (l1, l2, l3))
    result = np.einsum("t,tpa,tpb,tpc->abc", weights * np.pi / count, first, second, third)
    return np.where(np.abs(result) < ZERO, 0.0, result)


def harmonic_gradients(l: int) -> np.ndarray:
    """Matrix of the gradients of the solid harmonics of order l, which are sums of those of order l - 1.

    Args:
        l: Order, 1 or more.

    Returns:
        float64 array `(2 l + 1, 3, 2 l - 1)`: for each harmonic, for x, y and z, the factors of the harmonics of order l - 1.

    Example:
        >>> from keras_ff.layers.couplings import harmonic_gradients
        >>> harmonic_gradients(1)[..., 0].round(4).tolist()  # of y, z, x, times sqrt(3)
        [[0.0, 1.7321, 0.0], [0.0, 0.0, 1.7321], [1.7321, 0.0, 0.0]]

    Reference:
        Varshalovich, Moskalev and Khersonskii, Quantum Theory of Angular Momentum (1988), section 7.3.
    """
    # The components of a direction are sqrt(4 pi / 3) times the harmonics of order 1, in the order y, z, x.
    couplings = gaunt_coefficients(l, l - 1, 1)[..., [2, 0, 1]]
    return (2 * l + 1) * sqrt(4 * pi / 3) * np.swapaxes(couplings, 1, 2)


def _harmonics(cosines, angles, l):
    """The functions of `solid_harmonics` at directions of a grid, `(cosines, angles, 2 l + 1)`: float64 on every backend."""
    from scipy.special import lpmv

    columns = []
    for m in range(-l, l + 1):
        k = abs(m)
        around = np.cos(k * angles) if m >= 0 else np.sin(k * angles)
        # SciPy's functions have the sign of Condon and Shortley.
        columns.append((-1) ** k * normalization(l, m) * lpmv(k, l, cosines)[:, None] * around)
    return np.stack(columns, axis=-1)
