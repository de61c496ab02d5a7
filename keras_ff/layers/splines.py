"""Layers of cubic splines on uniform knots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import not_negative
from keras_ff.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

EXTRAPOLATIONS = ("linear", "cubic")


@keras.saving.register_keras_serializable("keras_ff")
class Roughness(keras.regularizers.Regularizer):
    """Penalty for the curvature of splines: `strength` times the integral of the squared second derivative.

    The second derivatives are taken from differences of the values at the knots.

    Args:
        strength: Factor in units of the loss.
        spacing: Distance of the knots.
        vanishes: Whether the last value counts as 0.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> float(kff.layers.Roughness(strength=0.5)(np.array([0.0, 1.0, 4.0])))  # 0.5 * (4 - 2 * 1 + 0)²
        2.0
    """

    def __init__(self, strength: float, spacing: float = 1.0, vanishes: bool = False):
        self.strength = float(strength)
        self.spacing = float(spacing)
        self.vanishes = bool(vanishes)

    def __call__(self, values):
        """Compute the penalty, a scalar, of values at the knots, `(knots,)` or `(knots, splines)`."""
        values = _with_zero_end(values) if self.vanishes else values
        curvature = values[2:] - 2.0 * values[1:-1] + values[:-2]
        return self.strength / self.spacing**3 * ops.sum(curvature * curvature)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"strength": self.strength, "spacing": self.spacing, "vanishes": self.vanishes}


@keras.saving.register_keras_serializable("keras_ff")
class CubicSpline(Layer):
    """Layer of a cubic spline, or of several that share their knots, with the values at the knots as weights.

    Value and first two derivatives are continuous and exact; the interval is looked up, so that the cost of an evaluation does not
    grow with the number of knots.

    Input: any shape. Output: the same shape, with an axis `(splines,)` added if there are several and `which` is not given.

    Args:
        first: Position of the first knot.
        last: Position of the last knot; the others lie between at equal distances.
        values: Values at the knots at the start, `(knots,)`, or `(knots, splines)`.
        slopes: Derivatives at the two ends: a pair of numbers, or of arrays `(splines,)`. An end with None is natural, with second
            derivative 0.
        train_slopes: Whether the slopes that are given are trained too.
        extrapolation: "linear" continues beyond the ends as a straight line, "cubic" as the outermost cubic.
        roughness: Strength of the penalty for curvature, see `Roughness`.
        vanishes: Whether value and slope at the last knot are 0 and stay 0, whatever is trained. With linear extrapolation the
            spline is then 0 from there on.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If there are fewer than two knots, they are not in order, the shapes do not fit, or the spline does not end as
            `vanishes` says.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> spline = kff.layers.CubicSpline(0.0, 2.0, values=[0.0, 1.0, 0.0])
        >>> np.array(spline(np.array([0.5, 1.0], "float32"))).tolist()
        [0.6875, 1.0]

    Reference:
        de Boor, A Practical Guide to Splines (1978), chapter IV.
    """

    def __init__(
        self,
        first: float,
        last: float,
        values,
        slopes: tuple = (None, None),
        train_slopes: bool = False,
        extrapolation: str = "linear",
        roughness: float = 0.0,
        vanishes: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.start = np.asarray(values, dtype="float64")
        self.first, self.last, self.roughness = float(first), float(last), not_negative("roughness", roughness)
        self.extrapolation, self.train_slopes, self.vanishes = extrapolation, bool(train_slopes), bool(vanishes)
        if self.start.ndim not in (1, 2) or len(self.start) < 2 or not np.isfinite(self.start).all():
            raise ValueError(f"A spline needs two knots or more with finite values. Received values of shape {self.start.shape}.")
        if not self.first < self.last:
            raise ValueError(f"The first knot must lie before the last. Received first={first}, last={last}.")
        if extrapolation not in EXTRAPOLATIONS:
            raise ValueError(f"extrapolation is one of {EXTRAPOLATIONS}. Received {extrapolation!r}.")
        self.is_natural = tuple(slope is None for slope in slopes)
        ends = [np.zeros(self.start.shape[1:]) if slope is None else np.asarray(slope, dtype="float64") for slope in slopes]
        self.start_slopes = np.stack([np.broadcast_to(end, self.start.shape[1:]) for end in ends])
        if vanishes and (self.is_natural[1] or self.start[-1].any() or self.start_slopes[1].any()):
            raise ValueError(
                f"A spline that vanishes ends with value and slope 0. Received {self.start[-1]} and slope {slopes[1]}."
            )
        self.spacing = (self.last - self.first) / (len(self.start) - 1)
        self.values = self._weight("values", self.start, Roughness(roughness, self.spacing, vanishes) if roughness else None)
        self.slopes = self._weight("slopes", self.start_slopes, trainable=self.train_slopes and not all(self.is_natural))
        self._solution = _knot_slopes(len(self.start), self.spacing, self.is_natural)
        self.built = True

    def _weight(self, name, start, regularizer=None, trainable=True):
        return self.add_weight(
            name=name,
            shape=start.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(start, dtype),
            regularizer=regularizer,
            trainable=trainable,
        )

    @property
    def knots(self) -> np.ndarray:
        """Positions of the knots, `(knots,)`."""
        return np.linspace(self.first, self.last, len(self.start))

    def numbers(self) -> list[np.ndarray]:
        """Return values and end slopes as they are now; numbers that were not trained have all digits of the start.

        Returns:
            List of two float64 arrays: values `(knots,)` or `(knots, splines)`, and slopes at the ends `(2,)` or `(2, splines)`.
        """
        numbers = []
        for weight, start in ((self.values, self.start), (self.slopes, self.start_slopes)):
            now = ops.convert_to_numpy(weight)
            numbers.append(np.where(now == start.astype(now.dtype), start, now.astype("float64")))
            if self.vanishes:
                numbers[-1][-1] = 0.0
        return numbers

    def fit_to(self, function: Callable) -> None:
        """Set the weights so that the splines have the values of a function at the knots, and its slopes at the ends.

        Args:
            function: Function of a NumPy array `(points,)` that returns `(points,)` or `(points, splines)`.
        """
        self.values.assign(np.broadcast_to(np.asarray(function(self.knots)), self.start.shape))
        step = 1e-4 * self.spacing
        ends = np.array([self.first, self.last])
        slopes = (np.asarray(function(ends + step)) - np.asarray(function(ends - step))) / (2.0 * step)
        self.slopes.assign(np.broadcast_to(slopes, self.start_slopes.shape))

    def coefficients(self, dtype):
        """Compute the polynomials of the intervals between the knots.

        Args:
            dtype: Data type of the result.

        Returns:
            Tensor `(intervals, 4)` or `(intervals, splines, 4)`: coefficients of 1, t, t² and t³ for t from 0 to 1 in each
            interval. With linear extrapolation the first and the last interval are the straight lines outside.
        """
        by_values, by_slopes = (ops.convert_to_tensor(matrix, dtype=dtype) for matrix in self._solution)
        y, slopes = ops.cast(self.values, dtype), ops.cast(self.slopes, dtype)
        if self.vanishes:
            y, slopes = _with_zero_end(y), _with_zero_end(slopes)
        # Slopes times the spacing: derivatives with respect to t.
        D = ops.tensordot(by_values, y, 1) + ops.tensordot(by_slopes, slopes, 1)
        rise = y[1:] - y[:-1]
        pieces = ops.stack([y[:-1], D[:-1], 3.0 * rise - 2.0 * D[:-1] - D[1:], D[:-1] + D[1:] - 2.0 * rise], axis=-1)
        if self.extrapolation == "linear":
            lines = ops.stack([y, D, ops.zeros_like(y), ops.zeros_like(y)], axis=-1)
            pieces = ops.concatenate([lines[:1], pieces, lines[-1:]], axis=0)
        return pieces

    def call(self, x, which=None):
        """Evaluate the splines.

        Args:
            x: Arguments of any shape.
            which: int, in the shape of `x`: index of the spline to take for each argument; None takes all splines for all.

        Returns:
            Tensor in the shape of `x`, or `(..., splines)` if there are several and `which` is None.
        """
        return self.evaluate(x, self.coefficients(x.dtype), which)

    def evaluate(self, x, table, which=None):
        """Evaluate the splines as `call` does, from coefficients that are given.

        Transformations that need all variables of a derivative as arguments, such as `backend.cond`, use it.

        Args:
            x: Arguments of any shape.
            table: Coefficients as `coefficients` returns them.
            which: int, in the shape of `x`: index of the spline to take for each argument; None takes all splines for all.

        Returns:
            Tensor in the shape of `x`, or `(..., splines)` if there are several and `which` is None.
        """
        dtype = x.dtype
        u = (x - ops.convert_to_tensor(np.float64(self.first), dtype=dtype)) * ops.convert_to_tensor(
            1.0 / self.spacing, dtype=dtype
        )
        intervals = len(self.start) - 1
        u_known = ops.stop_gradient(u)
        if self.extrapolation == "linear":
            row = ops.cast(ops.clip(ops.floor(u_known) + 1.0, 0.0, intervals + 1.0), "int32")
            base = ops.maximum(row - 1, 0)
        else:
            row = base = ops.cast(ops.clip(ops.floor(u_known), 0.0, intervals - 1.0), "int32")
        t = u - ops.cast(base, dtype)
        if which is not None:
            row = row * self.start.shape[1] + which
            table = ops.reshape(table, (-1, 4))
        c = ops.take(table, row, axis=0)
        if which is None and self.start.ndim == 2:
            t = t[..., None]
        return ((c[..., 3] * t + c[..., 2]) * t + c[..., 1]) * t + c[..., 0]

    def compute_output_shape(self, shape, which=None):
        """Return the shape of the result for an input of this shape."""
        return shape if which is not None or self.start.ndim == 1 else (*shape, self.start.shape[1])

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        ends = [None if natural else slopes.tolist() for natural, slopes in zip(self.is_natural, self.start_slopes)]
        return {
            **super().get_config(),
            "first": self.first,
            "last": self.last,
            "values": self.start.tolist(),
            "slopes": ends,
            "train_slopes": self.train_slopes,
            "extrapolation": self.extrapolation,
            "roughness": self.roughness,
            "vanishes": self.vanishes,
        }


def _with_zero_end(x):
    return ops.concatenate([x[:-1], ops.zeros_like(x[-1:])], axis=0)


def _knot_slopes(count, spacing, is_natural):
    """Matrices from the values, and from the slopes at the ends, to spacing times the slopes at all knots."""
    system = np.diag(np.full(count, 4.0)) + np.diag(np.ones(count - 1), 1) + np.diag(np.ones(count - 1), -1)
    by_values, by_slopes = np.zeros((count, count)), np.zeros((count, 2))
    inner = np.arange(1, count - 1)
    by_values[inner, inner + 1], by_values[inner, inner - 1] = 3.0, -3.0
    for end, (row, neighbor, sign) in enumerate(((0, 1, 1.0), (count - 1, count - 2, -1.0))):
        system[row] = 0.0
        if is_natural[end]:
            system[row, row], system[row, neighbor] = 2.0, 1.0
            by_values[row, neighbor], by_values[row, row] = 3.0 * sign, -3.0 * sign
        else:
            system[row, row] = 1.0
            by_slopes[row, end] = spacing
    return np.linalg.solve(system, by_values), np.linalg.solve(system, by_slopes)
