"""Orthonormal radial functions made of spherical Bessel functions."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import positive
from keras_ff.layers.base import Layer

N_MAX_LIMIT = 16


def bessel_roots(l_max: int, count: int) -> np.ndarray:
    """Positive roots of the spherical Bessel functions j_l.

    Args:
        l_max: Largest order l.
        count: Number of roots of each order.

    Returns:
        float64 array `(l_max + 1, count)`, ascending along the last axis.

    Example:
        >>> from keras_ff.layers.spherical_bessel import bessel_roots
        >>> bessel_roots(1, 2).round(4).tolist()
        [[3.1416, 6.2832], [4.4934, 7.7253]]
    """
    from scipy.optimize import brentq
    from scipy.special import spherical_jn

    roots = np.pi * np.arange(1, count + l_max + 1)
    rows = [roots[:count]]
    for l in range(1, l_max + 1):
        # The roots of consecutive orders interlace.
        bessel = partial(spherical_jn, l)
        roots = np.array([brentq(bessel, low, high, xtol=1e-14, rtol=1e-15) for low, high in zip(roots, roots[1:])])
        rows.append(roots[:count])
    return np.array(rows)


def orthonormal_functions(x: np.ndarray, n_max: int) -> np.ndarray:
    """Radial functions g_nl of Kocer, Mason and Erturk at `x = r / cutoff`, from their definition, in NumPy.

    Args:
        x: float64 `(points,)`, from 0 to 1.
        n_max: l runs from 0 to n_max and n from 0 to n_max - l.

    Returns:
        float64 array `(points, functions)`, g_nl times `cutoff**1.5`; n runs fastest.

    Reference:
        Kocer, Mason and Erturk, AIP Adv. 10, 015021 (2020), eqs. 11-13.
    """
    from scipy.special import spherical_jn

    roots = bessel_roots(n_max, n_max + 2)
    columns = []
    for l in range(n_max + 1):
        u = roots[l]
        d = 1.0
        for n in range(n_max - l + 1):
            g = np.sqrt(2 / (u[n] ** 2 + u[n + 1] ** 2)) * (
                u[n + 1] / spherical_jn(l + 1, u[n]) * spherical_jn(l, u[n] * x)
                - u[n] / spherical_jn(l + 1, u[n + 1]) * spherical_jn(l, u[n + 1] * x)
            )
            if n:
                e = u[n - 1] ** 2 * u[n + 1] ** 2 / ((u[n - 1] ** 2 + u[n] ** 2) * (u[n] ** 2 + u[n + 1] ** 2))
                previous, d = d, 1 - e / d
                g = (g + np.sqrt(e / previous) * columns[-1]) / np.sqrt(d)
            columns.append(g)
    return np.stack(columns, axis=-1)


def chebyshev_coefficients(n_max: int, tolerance: float) -> np.ndarray:
    """Coefficients of the Chebyshev series in `2 x**2 - 1` of `g_nl(x) / x**l`, which are entire functions of x**2.

    Args:
        n_max: l runs from 0 to n_max and n from 0 to n_max - l.
        tolerance: The series ends where its coefficients fall below this fraction of the largest.

    Returns:
        float64 array `(terms, functions)`, times `cutoff**1.5`; n runs fastest.
    """
    points = 2 * (3 * n_max + 30)
    angles = np.pi * (np.arange(points) + 0.5) / points
    x = np.sqrt(0.5 + 0.5 * np.cos(angles))
    orders = np.repeat(np.arange(n_max + 1), np.arange(n_max + 1, 0, -1))
    values = orthonormal_functions(x, n_max) / x[:, None] ** orders
    coefficients = 2 / points * np.cos(np.outer(np.arange(points), angles)) @ values
    coefficients[0] /= 2
    size = np.abs(coefficients / np.abs(coefficients).max(axis=0)).max(axis=1)
    return coefficients[: np.flatnonzero(size > tolerance)[-1] + 1]


@keras.saving.register_keras_serializable("keras_ff")
class SphericalBessel(Layer):
    """Layer of the radial functions g_nl of distances, orthonormal on [0, cutoff] with weight r².

    The functions and their first and second derivatives vanish at the cutoff. Each is
    `(r/cutoff)**l` times an entire function of r², which is summed as a Chebyshev
    series to the precision of the dtype: no root, no sine, and smooth at r = 0.

    Args:
        cutoff: Radius in Å.
        n_max: l runs from 0 to n_max and n from 0 to n_max - l.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If the cutoff is not positive, or n_max is no integer from 0 to 16.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> radial = kff.layers.SphericalBessel(cutoff=5.0, n_max=1)  # g_00, g_10 and g_01
        >>> np.array(radial(np.array([2.5, 5.0], "float32")), "float64").round(4).tolist()
        [[0.2263, 0.2419, 0.2924], [0.0, 0.0, 0.0]]

    Reference:
        Kocer, Mason and Erturk, AIP Adv. 10, 015021 (2020), eqs. 11-13.
    """

    def __init__(self, cutoff: float, n_max: int, **kwargs):
        super().__init__(**kwargs)
        if not (isinstance(n_max, (int, np.integer)) and 0 <= n_max <= N_MAX_LIMIT):
            raise ValueError(f"n_max must be an integer from 0 to {N_MAX_LIMIT}. Received n_max={n_max}.")
        self.cutoff = positive("cutoff", cutoff, "Å")
        self.n_max = int(n_max)
        double = self.compute_dtype == "float64"
        series = chebyshev_coefficients(self.n_max, 1e-15 if double else 1e-8)
        self.series = (series / self.cutoff**1.5).astype("float64" if double else "float32")
        self.built = True

    @property
    def counts(self) -> list[int]:
        """Numbers of functions of each l, from 0 to n_max."""
        return [self.n_max - l + 1 for l in range(self.n_max + 1)]

    def reduced(self, x_squared):
        """Compute the functions without their power of the distance, `g_nl / x**l` with `x = r / cutoff`.

        Args:
            x_squared: `x**2`, of any shape, between 0 and 1.

        Returns:
            Tensor `(..., functions)` in Å^(-3/2); n runs fastest.
        """
        t = 2.0 * x_squared - 1.0
        terms = [ops.ones_like(t), t]
        while len(terms) < len(self.series):
            terms.append(2.0 * t * terms[-1] - terms[-2])
        basis = ops.stack(terms[: len(self.series)], axis=-1)
        return ops.matmul(basis, ops.convert_to_tensor(self.series, dtype=basis.dtype))

    def call(self, distances):
        """Compute the functions g_nl.

        Args:
            distances: Any shape, in Å.

        Returns:
            Tensor `(..., functions)` in Å^(-3/2), n runs fastest; 0 from the cutoff on.
        """
        x = distances / self.cutoff
        inside = x < 1.0
        x = ops.where(inside, x, 0.0)
        powers = [ops.ones_like(x)]
        for _ in range(self.n_max):
            powers.append(powers[-1] * x)
        powers = ops.stack([powers[l] for l, count in enumerate(self.counts) for _ in range(count)], axis=-1)
        return ops.where(inside[..., None], self.reduced(x * x) * powers, 0.0)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "cutoff": self.cutoff, "n_max": self.n_max}
