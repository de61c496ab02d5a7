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


class Stacked(Layer):
    """A layer that stands for one, or for several of its kind with weights of their own: the members of a committee.

    Their weights lie side by side along a leading axis, and all members are computed together, which takes far less time than
    one after the other. What a layer computes does not show it: matrices `(members, inputs, units)` multiply by `product`, and
    vectors `(members, 1, units)` broadcast against `(members, atoms, units)`.

    Args:
        members: Number of members of a committee; None is a single layer, whose weights have no leading axis.

    Raises:
        ValueError: If there are no members.
    """

    def __init__(self, members=None, **kwargs):
        super().__init__(**kwargs)
        if members is not None and members < 1:
            raise ValueError(f"A committee has at least one member. Received members={members}.")
        self.members = members

    def add_matrix(self, name, shape, seed):
        """A weight `(inputs, units)` for each member, drawn as `LeCunNormal` does; zeros if the seed is None."""
        stack = () if self.members is None else (self.members,)
        initial = "zeros" if seed is None else LeCunNormal(seed, self.members)
        return self.add_weight(name=name, shape=(*stack, *shape), initializer=initial)

    def add_vector(self, name, length, initializer="zeros"):
        """A weight `(length,)` for each member."""
        stack = () if self.members is None else (self.members, 1)
        return self.add_weight(name=name, shape=(*stack, length), initializer=initializer)

    def get_config(self):
        return {**super().get_config(), "members": self.members}


class Dense(Stacked):
    """A linear layer with the initial weights that all networks here use.

    Args:
        inputs: Length of the last axis of the input.
        units: Length of the last axis of the output.
        seed: Seed of the initial weights; None starts at zero.
        use_bias: Whether there is a constant.
    """

    def __init__(self, inputs, units, seed, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.kernel = self.add_matrix("kernel", (inputs, units), seed)
        self.bias = self.add_vector("bias", units) if use_bias else None
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


class LayerNorm(Stacked):
    """Layer normalization over the last axis with right derivatives of every order.

    Keras takes the variance from `tf.nn.moments`, which holds the mean constant in
    it: on TensorFlow the first derivatives of its layer are right, and the second,
    which training on forces needs, are wrong by some percent.

    Args:
        units: Length of the last axis.
    """

    EPSILON = 1e-6

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gamma = self.add_vector("gamma", units, "ones")
        self.beta = self.add_vector("beta", units)
        self.built = True

    def call(self, x):
        centered = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centered * centered, axis=-1, keepdims=True)
        return centered / ops.sqrt(variance + self.EPSILON) * self.gamma + self.beta


class AtomicNetwork(Stacked):
    """A network from the features of atoms `(atoms, inputs)` to numbers `(atoms,)`.

    `call(x, projection=None)` takes the inputs, or a list of inputs that lie side by side, and a matrix
    `(inputs, inputs)` that multiplies them first. Subclasses make their layers of `dense` and `norm` in the constructor.

    With `members` it is a stack of networks for the same inputs, and the result is `(members, atoms)`. Member m starts
    with the weights that a single network has with the seed `seed + m`. The inputs may have a leading axis of members
    too, where each member has its own.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: Arguments of `Stacked` (`members`) and of Keras layers.

    Raises:
        ValueError: If there are too few hidden layers, one without units, or no members.
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

    def dense(self, inputs, units, place, **kwargs):
        """A linear layer, with members as the network has.

        Args:
            inputs: Length of the last axis of the input.
            units: Length of the last axis of the output.
            place: Indices that tell the layers of a network apart: they follow the seed of the network in that of the layer.
            kwargs: Further arguments of `Dense`.
        """
        return Dense(inputs, units, [self.seed, *place], members=self.members, dtype=self.dtype_policy, **kwargs)

    def norm(self, units):
        """A layer normalization, with members as the network has."""
        return LayerNorm(units, members=self.members, dtype=self.dtype_policy)

    def rebuilt(self, **changes):
        """A network of the same class with other arguments of the constructor, such as `members`, and initial weights."""
        return type(self).from_config({**self.get_config(), **changes})

    def get_config(self):
        return {**super().get_config(), "inputs": self.inputs, "units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable("keras_ff")
class MLP(AtomicNetwork):
    """Pyramid of Dense, LayerNormalization and Swish-1, with Swish-1 also on the scalar output.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: See `AtomicNetwork`.

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), figure 1.
    """

    def __init__(self, inputs, units=(64, 32, 16, 16, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        self.layers = [self.dense(a, b, [i]) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.norms = [self.norm(width) for width in self.units]
        self.readout = self.dense(widths[-1], 1, [len(self.units)])

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
        seed: Seed of the initial weights.
        kwargs: See `AtomicNetwork`.

    Reference:
        Carrete et al., J. Chem. Phys. 158, 204801 (2023), section II.
    """

    def __init__(self, inputs, units=(64, 32, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        self.long, self.long_norms, self.short, self.short_norms = [], [], [], []
        width = self.inputs
        for block, units in enumerate(self.units):
            self.long.append([self.dense(a, units, [block, i]) for i, a in enumerate((width, units, units))])
            self.long_norms.append([self.norm(units) for _ in range(3)])
            self.short.append(self.dense(width, units, [block, 3]))
            self.short_norms.append(self.norm(units))
            width = units
        self.readout = self.dense(width, 1, [len(self.units)])

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
    only the linear model is there, whose weights `keras_ff.models.fit_linear` finds.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: See `AtomicNetwork`.
    """

    FEWEST_LAYERS = 0

    def __init__(self, inputs, units=(16, 16), seed=0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        self.layers = [self.dense(a, b, [i]) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.readout = self.dense(widths[-1], 1, [len(self.units)]) if self.units else None
        self.linear = Dense(self.inputs, 1, None, use_bias=False, members=self.members, dtype=self.dtype_policy)

    def call(self, x, projection=None):
        linear = self.linear(x, projection)
        if not self.units:
            return linear[..., 0]
        y = SWISH_GAIN * ops.silu(self.layers[0](x, projection))
        for layer in self.layers[1:]:
            y = SWISH_GAIN * ops.silu(layer(y))
        return (self.readout(y) + linear)[..., 0]
