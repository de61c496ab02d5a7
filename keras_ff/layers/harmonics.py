"""Real spherical harmonics as polynomials of the vector components."""

from __future__ import annotations

from math import factorial, pi, sqrt

from keras import ops


def normalization(l: int, m: int) -> float:
    """Factor that makes a real spherical harmonic orthonormal: of an associated Legendre function times cos or sin of |m| phi."""
    k = abs(m)
    return sqrt((2 * l + 1) / (4 * pi) * factorial(l - k) / factorial(l + k) * (2 if k else 1))


def solid_harmonics(vectors, l_max: int) -> list:
    """Real solid harmonics r^l Y_lm of vectors, orthonormal on the unit sphere.

    They are polynomials of x, y, z, so that every derivative exists everywhere,
    also at the origin.

    Args:
        vectors: `(..., 3)`.
        l_max: Largest l.

    Returns:
        List over l of tensors `(..., 2 l + 1)`, m from -l to l (sine terms first).

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> first = kff.layers.solid_harmonics(np.array([[0.0, 0.0, 2.0]]), 1)[1]  # y, z, x times sqrt(3 / 4 pi)
        >>> np.array(first, "float64")[0].round(4).tolist()
        [0.0, 0.9772, 0.0]

    Reference:
        Helgaker, Jorgensen and Olsen, Molecular Electronic-Structure Theory (2000), section 6.4.
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    r2 = x * x + y * y + z * z
    one = ops.ones_like(x)
    cosines, sines = [one], [ops.zeros_like(x)]
    for m in range(l_max):
        cosines.append(x * cosines[m] - y * sines[m])
        sines.append(x * sines[m] + y * cosines[m])
    # Associated Legendre functions without their (1 - cos²)^(m/2), times r^(l - m).
    legendre = {}
    for m in range(l_max + 1):
        legendre[m, m] = one * float(factorial(2 * m) // (2**m * factorial(m)))
        if m < l_max:
            legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
        for l in range(m + 2, l_max + 1):
            legendre[l, m] = ((2 * l - 1) * z * legendre[l - 1, m] - (l + m - 1) * r2 * legendre[l - 2, m]) / (l - m)

    def harmonic(l, m):
        k = abs(m)
        return normalization(l, m) * legendre[l, k] * (cosines[k] if m >= 0 else sines[k])

    return [ops.stack([harmonic(l, m) for m in range(-l, l + 1)], axis=-1) for l in range(l_max + 1)]


def spherical_harmonics(vectors, l_max: int) -> list:
    """Real spherical harmonics Y_lm of the directions of vectors, orthonormal on the unit sphere.

    Args:
        vectors: `(..., 3)`, of any length. A zero vector has no direction: its Y_00 is that of others, the rest is 0.
        l_max: Largest l.

    Returns:
        List over l of tensors `(..., 2 l + 1)`, m from -l to l (sine terms first).

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> first = kff.layers.spherical_harmonics(np.array([[0.0, 0.0, 2.0]]), 1)[1]
        >>> np.array(first, "float64")[0].round(4).tolist()
        [0.0, 0.4886, 0.0]

    Reference:
        Helgaker, Jorgensen and Olsen, Molecular Electronic-Structure Theory (2000), section 6.4.
    """
    squared = ops.sum(vectors * vectors, axis=-1, keepdims=True)
    positive = squared > 0
    inverse = 1.0 / ops.sqrt(ops.where(positive, squared, 1.0))
    return solid_harmonics(ops.where(positive, vectors * inverse, 0.0), l_max)
