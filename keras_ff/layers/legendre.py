"""Polynomials of a cosine, as a layer."""

import keras
import numpy as np
from keras import ops
from numpy.polynomial import Legendre

from keras_ff.layers.base import Layer


@keras.saving.register_keras_serializable("keras_ff")
class LegendreRoughness(keras.regularizers.Regularizer):
    """Penalty for curvature: `strength` times the integral of the squared second derivative from -1 to 1.

    Args:
        strength: In units of the loss.
    """

    def __init__(self, strength):
        self.strength = float(strength)

    def __call__(self, coefficients):
        count = coefficients.shape[0]
        curvatures = [Legendre.basis(l).deriv(2) for l in range(count)]
        overlaps = [[(a * b).integ(lbnd=-1)(1.0) for b in curvatures] for a in curvatures]
        return self.strength * ops.sum(coefficients * ops.matmul(ops.cast(np.array(overlaps), coefficients.dtype), coefficients))

    def get_config(self):
        return {"strength": self.strength}


@keras.saving.register_keras_serializable("keras_ff")
class LegendreSeries(Layer):
    """Functions of a cosine, as sums of Legendre polynomials whose coefficients are weights.

    Args:
        coefficients: At the start, `(degree + 1, functions)`.
        roughness: Strength of the penalty for curvature, see `LegendreRoughness`.

    Input: any shape. Output: the same shape with an axis `(functions,)` added.
    """

    def __init__(self, coefficients, roughness=0.0, **kwargs):
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
        polynomials = [ops.ones_like(x), x]
        for l in range(1, len(self.start) - 1):
            polynomials.append(((2 * l + 1) * x * polynomials[l] - l * polynomials[l - 1]) / (l + 1))
        return ops.matmul(ops.stack(polynomials[: len(self.start)], axis=-1), ops.cast(self.coefficients, x.dtype))

    def compute_output_shape(self, shape):
        return (*shape, self.start.shape[1])

    def get_config(self):
        return {**super().get_config(), "coefficients": self.start.tolist(), "roughness": self.roughness}
