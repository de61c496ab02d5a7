"""Networks from the features of an atom to a number."""

import keras
import numpy as np
from keras import ops

from keras_ff import backend

# 1 / sqrt(E[swish(x)²]) for normal x.
SWISH_GAIN = 1.6766


@keras.saving.register_keras_serializable("keras_ff")
class LeCunNormal(keras.initializers.Initializer):
    """Normal with variance 1 / inputs, drawn with NumPy: the same numbers on every backend.

    Args:
        seed: int, or a sequence of ints.
    """

    def __init__(self, seed=0):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        draws = np.random.default_rng(self.seed).standard_normal(shape) / np.sqrt(shape[0])
        return ops.convert_to_tensor(draws, dtype=dtype or keras.config.floatx())

    def get_config(self):
        return {"seed": self.seed}


def dense(inputs, units, seed, **options):
    """A built `keras.layers.Dense` with the initial weights that all networks here use."""
    layer = keras.layers.Dense(units, **{"kernel_initializer": LeCunNormal(seed), **options})
    layer.build((None, inputs))
    return layer


class LayerNorm(keras.layers.LayerNormalization):
    """Layer normalization over the last axis with right derivatives of every order.

    Keras takes the variance from `tf.nn.moments`, which holds the mean constant in
    it: on TensorFlow the first derivatives of its layer are right, and the second,
    which training on forces needs, are wrong by some percent.
    """

    def call(self, x):
        centered = x - backend.mean(x, axis=-1, keepdims=True)
        variance = backend.mean(centered * centered, axis=-1, keepdims=True)
        return centered / ops.sqrt(variance + self.epsilon) * self.gamma + self.beta


def layer_norm(units, **options):
    layer = LayerNorm(epsilon=1e-6, **options)
    layer.build((None, units))
    return layer


def first_layer(layer, x, projection):
    """A Dense layer of `x @ projection`, for the price of the Dense layer of `x`.

    The product of the two matrices does not grow with the number of atoms.
    """
    if projection is None:
        return layer(x)
    y = ops.matmul(x, ops.matmul(projection, layer.kernel))
    return y + layer.bias if layer.use_bias else y


class AtomicNetwork(keras.layers.Layer):
    """From `(atoms, inputs)` to `(atoms,)`. Subclasses add their layers in the constructor.

    `call(x, projection=None)` takes the inputs and a matrix `(inputs, inputs)` that
    multiplies them first (see `first_layer`).

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Of the initial weights.

    Raises:
        ValueError: If there are too few hidden layers, or one without units.
    """

    FEWEST_LAYERS = 1

    def __init__(self, inputs, units, seed=0, **kwargs):
        super().__init__(**kwargs)
        if len(units) < self.FEWEST_LAYERS or min(units, default=1) < 1:
            fewest = self.FEWEST_LAYERS
            raise ValueError(
                f"{type(self).__name__} needs {fewest} or more hidden layers, of at least one unit each. Received units={units}."
            )
        self.inputs = int(inputs)
        self.units = tuple(int(width) for width in units)
        self.seed = seed
        self.built = True

    def get_config(self):
        return {**super().get_config(), "inputs": self.inputs, "units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable("keras_ff")
class MLP(AtomicNetwork):
    """Pyramid of Dense, LayerNormalization and Swish-1, with Swish-1 also on the scalar output.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Of the initial weights.

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), figure 1.
    """

    def __init__(self, inputs, units=(64, 32, 16, 16, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        policy = {"dtype": self.dtype_policy}
        self.layers = [dense(a, b, [seed, i], **policy) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.norms = [layer_norm(width, **policy) for width in self.units]
        self.readout = dense(widths[-1], 1, [seed, len(self.units)], **policy)

    def call(self, x, projection=None):
        for layer, norm in zip(self.layers, self.norms):
            x = ops.silu(norm(first_layer(layer, x, projection)))
            projection = None
        return ops.silu(self.readout(x))[..., 0]


@keras.saving.register_keras_serializable("keras_ff")
class ResNet(AtomicNetwork):
    """Residual blocks, one for each width: Swish-1 of the sum of a long and a short path.

    The long path is Dense, LayerNormalization, Swish-1, twice, and Dense,
    LayerNormalization; the short path is Dense, LayerNormalization. A Dense layer
    reads the scalar.

    Args:
        inputs: Number of features.
        units: Widths of the blocks.
        seed: Of the initial weights.

    Reference:
        Carrete et al., J. Chem. Phys. 158, 204801 (2023), section II.
    """

    def __init__(self, inputs, units=(64, 32, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        policy = {"dtype": self.dtype_policy}
        self.long, self.long_norms, self.short, self.short_norms = [], [], [], []
        width = self.inputs
        for block, units in enumerate(self.units):
            self.long.append([dense(a, units, [seed, block, i], **policy) for i, a in enumerate((width, units, units))])
            self.long_norms.append([layer_norm(units, **policy) for _ in range(3)])
            self.short.append(dense(width, units, [seed, block, 3], **policy))
            self.short_norms.append(layer_norm(units, **policy))
            width = units
        self.readout = dense(width, 1, [seed, len(self.units)], **policy)

    def call(self, x, projection=None):
        for long, norms, short, short_norm in zip(self.long, self.long_norms, self.short, self.short_norms):
            y = ops.silu(norms[0](first_layer(long[0], x, projection)))
            y = ops.silu(norms[1](long[1](y)))
            y = norms[2](long[2](y))
            x = ops.silu(y + short_norm(first_layer(short, x, projection)))
            projection = None
        return self.readout(x)[..., 0]


@keras.saving.register_keras_serializable("keras_ff")
class LinearPlusMLP(AtomicNetwork):
    """A linear model and a small network, added.

    The hidden layers are Dense and Swish-1, scaled by 1.6766 to keep unit variance.
    No layer normalises: that the size of the features counts makes these networks
    generalise better from few structures than those of `MLP`. With `units=()`
    only the linear model is there, whose weights `training.fit_linear` finds.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Of the initial weights.
    """

    FEWEST_LAYERS = 0

    def __init__(self, inputs, units=(16, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        policy = {"dtype": self.dtype_policy}
        self.layers = [dense(a, b, [seed, i], **policy) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.readout = dense(widths[-1], 1, [seed, len(self.units)], **policy) if self.units else None
        self.linear = dense(self.inputs, 1, seed, kernel_initializer="zeros", use_bias=False, **policy)

    def call(self, x, projection=None):
        linear = first_layer(self.linear, x, projection)
        if not self.units:
            return linear[..., 0]
        y = SWISH_GAIN * ops.silu(first_layer(self.layers[0], x, projection))
        for layer in self.layers[1:]:
            y = SWISH_GAIN * ops.silu(layer(y))
        return (self.readout(y) + linear)[..., 0]
