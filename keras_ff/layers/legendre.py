"""Layer of polynomials of a cosine."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.polynomial import Legendre

from keras_ff.layers.base import Layer


@keras.saving.register_keras_serializable("keras_ff")
class LegendreRoughness(keras.regularizers.Regularizer):
    """Penalty for the curvature of Legendre series: `strength` times the integral of the squared second derivative from -1 to 1.

    Args:
        strength: Factor in units of the loss.

    Example:
        >>> import numpy as np
        >>> from keras_ff.layers.legendre import LegendreRoughness
        >>> round(float(LegendreRoughness(0.5)(np.array([[0.0], [0.0], [1.0]], "float32"))), 4)  # 0.5 * 3² * 2
        9.0
    """

    def __init__(self, strength: float):
        self.strength = float(strength)

    def __call__(self, coefficients):
        """Compute the penalty, a scalar, of coefficients `(degree + 1, functions)`."""
        count = coefficients.shape[0]
        curvatures = [Legendre.basis(l).deriv(2) for l in range(count)]
        overlaps = [[(a * b).integ(lbnd=-1)(1.0) for b in curvatures] for a in curvatures]
        return self.strength * ops.sum(coefficients * ops.matmul(ops.cast(np.array(overlaps), coefficients.dtype), coefficients))

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"strength": self.strength}


@keras.saving.register_keras_serializable("keras_ff")
class LegendreSeries(Layer):
    """Layer of functions of a cosine that are sums of Legendre polynomials, whose coefficients are weights.

    Input: cosines of any shape. Output: the same shape with an axis `(functions,)` added.

    Args:
        coefficients: Coefficients at the start, `(degree + 1, functions)`.
        roughness: Strength of the penalty for curvature, see `LegendreRoughness`.
        kwargs: Arguments of Keras layers.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> series = kff.layers.LegendreSeries([[0.0], [0.0], [1.0]])  # (3 x² - 1) / 2
        >>> np.array(series(np.array([0.0, 1.0], "float32"))).tolist()
        [[-0.5], [1.0]]
    """

    def __init__(self, coefficients, roughness: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.start, self.roughness = np.asarray(coefficients, dtype="float64"), float(roughness)
        self.coefficients = self.add_weight(
            name="coefficients",
            shape=self.start.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(self.start, dtype),
            regularizer=LegendreRoughness(self.roughness) if self.roughness else None,
        )
        self.built = True

    def call(self, x):
        """Evaluate the functions at the cosines `x` of any shape; the result has one more axis, `(..., functions)`."""
        polynomials = [ops.ones_like(x), x]
        for l in range(1, len(self.start) - 1):
            polynomials.append(((2 * l + 1) * x * polynomials[l] - l * polynomials[l - 1]) / (l + 1))
        return ops.matmul(ops.stack(polynomials[: len(self.start)], axis=-1), ops.cast(self.coefficients, x.dtype))

    def compute_output_shape(self, shape):
        """Return the shape of the result for an input of this shape."""
        return (*shape, self.start.shape[1])

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "coefficients": self.start.tolist(), "roughness": self.roughness}
