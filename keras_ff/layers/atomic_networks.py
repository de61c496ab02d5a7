"""Networks from the features of an atom to a number, alone or as the members of a committee."""

import keras
import numpy as np
from keras import ops

from keras_ff.layers.base import Layer

# 1 / sqrt(E[swish(x)²]) for normal x.
SWISH_GAIN = 1.6766


@keras.saving.register_keras_serializable("keras_ff")
class LeCunNormal(keras.initializers.Initializer):
    """Normal with variance 1 / inputs, drawn with NumPy: the same numbers on every backend.

    Args:
        seed: int, or a sequence of ints.
        members: Length of a leading axis. Member m of it has the numbers that `seed + m` gives alone (first of a sequence + m).
    """

    def __init__(self, seed=0, members=None):
        self.seed, self.members = seed, members

    def __call__(self, shape, dtype=None):
        if self.members is None:
            draws = self._draw(self.seed, shape)
        else:
            first, *others = np.atleast_1d(self.seed).tolist()
            draws = np.stack([self._draw([first + member, *others], shape[1:]) for member in range(self.members)])
        return ops.convert_to_tensor(draws, dtype=dtype or keras.config.floatx())

    @staticmethod
    def _draw(seed, shape):
        return np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[0])

    def get_config(self):
        return {"seed": self.seed, "members": self.members}


class Dense(Layer):
    """A linear layer with the initial weights that all networks here use.

    Args:
        inputs: Length of the last axis of the input,
        units: and of the output.
        seed: Of the initial weights; None starts at zero.
        members: Number of layers with weights of their own, see `AtomicNetwork`.
        use_bias: Whether there is a constant.
    """

    def __init__(self, inputs, units, seed, members=None, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        stack, row = ((), ()) if members is None else ((members,), (1,))
        start = "zeros" if seed is None else LeCunNormal(seed, members)
        self.kernel = self.add_weight(name="kernel", shape=(*stack, inputs, units), initializer=start)
        self.bias = self.add_weight(name="bias", shape=(*stack, *row, units), initializer="zeros") if use_bias else None
        self.built = True

    def call(self, x, projection=None):
        """A layer of `x @ projection`, for the price of the layer of `x`: the product of the two matrices is cheap.

        `x` may be a list of inputs that lie side by side, each with an axis of members or without.
        """
        kernel = self.kernel if projection is None else ops.matmul(projection, self.kernel)
        first, y = 0, 0.0 if self.bias is None else self.bias
        for part in x if isinstance(x, (list, tuple)) else [x]:
            last = first + part.shape[-1]
            y = y + product(part, kernel[..., first:last, :])
            first = last
        return y


def product(x, kernels):
    """`x @ kernels` of `(atoms, inputs)` or `(members, atoms, inputs)` with `(inputs, units)` or `(members, inputs, units)`."""
    if len(kernels.shape) == 2 or len(x.shape) == 3:
        return ops.matmul(x, kernels)
    # One product of two matrices takes less time than one for each member.
    members, inputs, units = kernels.shape
    flat = ops.matmul(x, ops.reshape(ops.swapaxes(kernels, 0, 1), (inputs, members * units)))
    return ops.swapaxes(ops.reshape(flat, (-1, members, units)), 0, 1)


class LayerNorm(Layer):
    """Layer normalization over the last axis with right derivatives of every order.

    Keras takes the variance from `tf.nn.moments`, which holds the mean constant in
    it: on TensorFlow the first derivatives of its layer are right, and the second,
    which training on forces needs, are wrong by some percent.

    Args:
        units: Length of the last axis.
        members: Number of layers with weights of their own, see `AtomicNetwork`.
    """

    EPSILON = 1e-6

    def __init__(self, units, members=None, **kwargs):
        super().__init__(**kwargs)
        shape = (units,) if members is None else (members, 1, units)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, x):
        centered = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centered * centered, axis=-1, keepdims=True)
        return centered / ops.sqrt(variance + self.EPSILON) * self.gamma + self.beta


class AtomicNetwork(Layer):
    """From `(atoms, inputs)` to `(atoms,)`. Subclasses add their layers in the constructor.

    `call(x, projection=None)` takes the inputs, or a list of inputs that lie side by side, and a matrix
    `(inputs, inputs)` that multiplies them first.

    With members it is a stack of networks for the same inputs, and the result is `(members, atoms)`. Member m starts
    with the weights that a single network has with the seed `seed + m`. The inputs may have a leading axis of members
    too, where each member has its own.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Of the initial weights.
        members: Number of members of a committee; None is a single network.

    Raises:
        ValueError: If there are too few hidden layers, one without units, or no members.
    """

    FEWEST_LAYERS = 1

    def __init__(self, inputs, units, seed=0, members=None, **kwargs):
        super().__init__(**kwargs)
        if members is not None and members < 1:
            raise ValueError(f"A committee has at least one member. Received members={members}.")
        if len(units) < self.FEWEST_LAYERS or min(units, default=1) < 1:
            fewest = self.FEWEST_LAYERS
            raise ValueError(
                f"{type(self).__name__} needs {fewest} or more hidden layers, of at least one unit each. Received units={units}."
            )
        self.inputs = int(inputs)
        self.units = tuple(int(width) for width in units)
        self.seed = seed
        self.members = members
        self.built = True

    def get_config(self):
        return {**super().get_config(), "inputs": self.inputs, "units": self.units, "seed": self.seed, "members": self.members}


@keras.saving.register_keras_serializable("keras_ff")
class MLP(AtomicNetwork):
    """Pyramid of Dense, LayerNormalization and Swish-1, with Swish-1 also on the scalar output.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Of the initial weights.
        members: Of a committee.

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), figure 1.
    """

    def __init__(self, inputs, units=(64, 32, 16, 16, 16), seed=0, members=None, **kwargs):
        super().__init__(inputs, units, seed, members, **kwargs)
        widths = (self.inputs, *self.units)
        options = {"members": members, "dtype": self.dtype_policy}
        self.layers = [Dense(a, b, [seed, i], **options) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.norms = [LayerNorm(width, **options) for width in self.units]
        self.readout = Dense(widths[-1], 1, [seed, len(self.units)], **options)

    def call(self, x, projection=None):
        for layer, norm in zip(self.layers, self.norms):
            x = ops.silu(norm(layer(x, projection)))
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
        members: Of a committee.

    Reference:
        Carrete et al., J. Chem. Phys. 158, 204801 (2023), section II.
    """

    def __init__(self, inputs, units=(64, 32, 16), seed=0, members=None, **kwargs):
        super().__init__(inputs, units, seed, members, **kwargs)
        options = {"members": members, "dtype": self.dtype_policy}
        self.long, self.long_norms, self.short, self.short_norms = [], [], [], []
        width = self.inputs
        for block, units in enumerate(self.units):
            self.long.append([Dense(a, units, [seed, block, i], **options) for i, a in enumerate((width, units, units))])
            self.long_norms.append([LayerNorm(units, **options) for _ in range(3)])
            self.short.append(Dense(width, units, [seed, block, 3], **options))
            self.short_norms.append(LayerNorm(units, **options))
            width = units
        self.readout = Dense(width, 1, [seed, len(self.units)], **options)

    def call(self, x, projection=None):
        for long, norms, short, short_norm in zip(self.long, self.long_norms, self.short, self.short_norms):
            y = ops.silu(norms[0](long[0](x, projection)))
            y = ops.silu(norms[1](long[1](y)))
            y = norms[2](long[2](y))
            x = ops.silu(y + short_norm(short(x, projection)))
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
        members: Of a committee.
    """

    FEWEST_LAYERS = 0

    def __init__(self, inputs, units=(16, 16), seed=0, members=None, **kwargs):
        super().__init__(inputs, units, seed, members, **kwargs)
        widths = (self.inputs, *self.units)
        options = {"members": members, "dtype": self.dtype_policy}
        self.layers = [Dense(a, b, [seed, i], **options) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.readout = Dense(widths[-1], 1, [seed, len(self.units)], **options) if self.units else None
        self.linear = Dense(self.inputs, 1, seed=None, use_bias=False, **options)

    def call(self, x, projection=None):
        linear = self.linear(x, projection)
        if not self.units:
            return linear[..., 0]
        y = SWISH_GAIN * ops.silu(self.layers[0](x, projection))
        for layer in self.layers[1:]:
            y = SWISH_GAIN * ops.silu(layer(y))
        return (self.readout(y) + linear)[..., 0]
