"""Networks from the features of an atom to a number, alone or as the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import whole
from keras_ff.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

# 1 / sqrt(E[swish(x)²]) for normal x.
SWISH_GAIN = 1.6766


@keras.saving.register_keras_serializable("keras_ff")
class LeCunNormal(keras.initializers.Initializer):
    """Initializer with normal numbers of variance 1 / inputs, drawn with NumPy: the same on every backend.

    Args:
        seed: Seed: an int, or a sequence of ints.
        members: Length of a leading axis, along which the members of a committee lie; None for none. Member m has the numbers
            that `seed + m` gives alone; of a sequence of ints, the first is raised by m.

    Example:
        >>> from keras_ff.layers.atomic_networks import LeCunNormal
        >>> [round(float(x), 4) for x in LeCunNormal(seed=0)((4, 1))[:, 0]]
        [0.0629, -0.0661, 0.3202, 0.0525]

    Reference:
        LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.6.
    """

    def __init__(self, seed: int | Sequence[int] = 0, members: int | None = None):
        self.seed, self.members = seed, members

    def __call__(self, shape, dtype=None):
        """Draw a tensor `(inputs, units)`, or `(members, inputs, units)` with `members`."""
        if self.members is None:
            draws = self._draw(self.seed, shape)
        else:
            first, *others = np.atleast_1d(self.seed).tolist()
            draws = np.stack([self._draw([first + member, *others], shape[1:]) for member in range(self.members)])
        return ops.convert_to_tensor(draws, dtype=dtype or keras.config.floatx())

    @staticmethod
    def _draw(seed, shape):
        return np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[0])

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"seed": self.seed, "members": self.members}


class Stacked(Layer):
    """Base of layers that can stand for several of their kind with weights of their own: the members of a committee.

    The weights of the members lie side by side along a leading axis, and all members are computed together, which takes far less
    time than one after the other. A subclass writes its `call` as for a single layer: matrices `(members, inputs, units)`
    multiply by `product`, and vectors `(members, 1, units)` broadcast against `(members, atoms, units)`.

    Args:
        members: Number of members of a committee; None is a single layer, whose weights have no leading axis.

    Raises:
        ValueError: If `members` is less than 1.
    """

    def __init__(self, members: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if members is not None and not (isinstance(members, (int, np.integer)) and members >= 1):
            raise ValueError(f"A committee has at least one member. Received members={members}.")
        self.members = members

    def add_matrix(self, name: str, shape: tuple[int, int], seed):
        """Add a weight that is a matrix for each member.

        Args:
            name: Name of the weight.
            shape: `(inputs, units)`.
            seed: Seed of `LeCunNormal`, from which the matrix starts; None starts at zero.

        Returns:
            The weight, `(inputs, units)` or `(members, inputs, units)`.
        """
        stack = () if self.members is None else (self.members,)
        initial = "zeros" if seed is None else LeCunNormal(seed, self.members)
        return self.add_weight(name=name, shape=(*stack, *shape), initializer=initial)

    def add_vector(self, name: str, length: int, initializer="zeros"):
        """Add a weight that is a vector for each member.

        Args:
            name: Name of the weight.
            length: Length of the vector.
            initializer: Keras initializer or its name.

        Returns:
            The weight, `(length,)` or `(members, 1, length)`.
        """
        stack = () if self.members is None else (self.members, 1)
        return self.add_weight(name=name, shape=(*stack, length), initializer=initializer)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "members": self.members}


class Dense(Stacked):
    """Linear layer, `x @ kernel + bias`, with the initial weights of `LeCunNormal`.

    Args:
        inputs: Length of the last axis of the input.
        units: Length of the last axis of the output.
        seed: Seed of the initial weights; None starts at zero.
        use_bias: Whether a constant is added, which starts at zero.
        kwargs: Arguments of `Stacked` (`members`) and of Keras layers.
    """

    def __init__(self, inputs: int, units: int, seed, use_bias: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.kernel = self.add_matrix("kernel", (inputs, units), seed)
        self.bias = self.add_vector("bias", units) if use_bias else None
        self.built = True

    def call(self, x, projection=None):
        """Compute the layer of `x`, or of `x @ projection`, which costs little more.

        Args:
            x: `(atoms, inputs)` or `(members, atoms, inputs)`, or a list of such arrays that lie side by side along the last
                axis.
            projection: Matrix `(inputs, inputs)` that multiplies `x` first; None for none.

        Returns:
            Tensor `(atoms, units)`, or `(members, atoms, units)` if there are members.
        """
        # The product of the two matrices is cheap.
        kernel = self.kernel if projection is None else ops.matmul(projection, self.kernel)
        first, y = 0, 0.0 if self.bias is None else self.bias
        for part in x if isinstance(x, (list, tuple)) else [x]:
            last = first + part.shape[-1]
            y = y + product(part, kernel[..., first:last, :])
            first = last
        return y


def product(x, kernels):
    """Product `x @ kernels` of the inputs of atoms with one matrix, or with one for each member of a committee.

    Args:
        x: `(atoms, inputs)`, or `(members, atoms, inputs)`.
        kernels: `(inputs, units)`, or `(members, inputs, units)`.

    Returns:
        Tensor `(atoms, units)`, or `(members, atoms, units)` if one of the two has members.
    """
    if len(kernels.shape) == 2 or len(x.shape) == 3:
        return ops.matmul(x, kernels)
    # One product of two matrices takes less time than one for each member.
    members, inputs, units = kernels.shape
    flat = ops.matmul(x, ops.reshape(ops.swapaxes(kernels, 0, 1), (inputs, members * units)))
    return ops.swapaxes(ops.reshape(flat, (-1, members, units)), 0, 1)


class LayerNorm(Stacked):
    """Layer normalization over the last axis with correct derivatives of every order.

    Keras takes the variance from `tf.nn.moments`, which holds the mean constant in
    it: on TensorFlow the first derivatives of its layer are right, and the second,
    which training on forces needs, are wrong by a few percent.

    Args:
        units: Length of the last axis.
        kwargs: Arguments of `Stacked` (`members`) and of Keras layers.

    Reference:
        Ba, Kiros and Hinton, arXiv:1607.06450 (2016), eqs. 3-4.
    """

    EPSILON = 1e-6

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.gamma = self.add_vector("gamma", units, "ones")
        self.beta = self.add_vector("beta", units)
        self.built = True

    def call(self, x):
        """Normalize the last axis of `x`, then multiply by `gamma` and add `beta`; the result has the shape of `x`."""
        centered = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centered * centered, axis=-1, keepdims=True)
        return centered / ops.sqrt(variance + self.EPSILON) * self.gamma + self.beta


class AtomicNetwork(Stacked):
    """Base of networks from the features of atoms, `(atoms, inputs)`, to one number for each atom, `(atoms,)`.

    `call(x, projection=None)` takes the inputs, or a list of inputs that lie side by side along the last axis, and a matrix
    `(inputs, inputs)` that multiplies them first. Subclasses make their layers with `dense` and `norm` in the constructor.

    With `members` it is a stack of networks for the same inputs, and the result is `(members, atoms)`. Member m starts
    with the weights that a single network has with the seed `seed + m`. The inputs may also be different for each member,
    `(members, atoms, inputs)`.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: Arguments of `Stacked` (`members`) and of Keras layers.

    Raises:
        ValueError: If there are too few hidden layers, one without units, or no members.
    """

    FEWEST_LAYERS = 1

    def __init__(self, inputs: int, units: Sequence[int], seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        sizes = np.asarray(units)
        if sizes.ndim != 1 or len(sizes) < self.FEWEST_LAYERS or not all(size >= 1 and size == int(size) for size in sizes):
            fewest = self.FEWEST_LAYERS
            raise ValueError(
                f"{type(self).__name__} needs {fewest} or more hidden layers, of at least one unit each. Received units={units}."
            )
        self.inputs = int(inputs)
        self.units = tuple(int(width) for width in units)
        self.seed = whole("seed", seed, 0)
        self.built = True

    def dense(self, inputs: int, units: int, place: Sequence[int], **kwargs) -> Dense:
        """Make a linear layer with as many members as the network has.

        Args:
            inputs: Length of the last axis of the input.
            units: Length of the last axis of the output.
            place: List of ints, different for each layer of the network: they follow the seed of the network in that of the
                layer.
            kwargs: Further arguments of `Dense`.

        Returns:
            The `Dense` layer.
        """
        return Dense(inputs, units, [self.seed, *place], members=self.members, dtype=self.dtype_policy, **kwargs)

    def norm(self, units: int) -> LayerNorm:
        """Make a layer normalization for a last axis of length `units`, with as many members as the network has."""
        return LayerNorm(units, members=self.members, dtype=self.dtype_policy)

    def rebuilt(self, **changes) -> AtomicNetwork:
        """Make a network of the same class with other arguments of the constructor, such as `members`, and initial weights.

        Args:
            changes: Arguments of the constructor that change.
        """
        return type(self).from_config({**self.get_config(), **changes})

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "inputs": self.inputs, "units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable("keras_ff")
class MLP(AtomicNetwork):
    """Network of NeuralIL from the features of an atom to a number: a pyramid of layers that become narrower.

    Each hidden layer is a linear layer, a layer normalization, and Swish-1, `x / (1 + exp(-x))`; Swish-1 also acts on the output.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: Arguments of `AtomicNetwork` (`members`) and of Keras layers.

    Raises:
        ValueError: If there is no hidden layer, one without units, or no members.

    Example:
        >>> import keras_ff as kff
        >>> network = kff.layers.MLP(inputs=17, units=(32, 16))
        >>> network.count_params()
        1217

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), figure 1.
    """

    def __init__(self, inputs: int, units: Sequence[int] = (64, 32, 16, 16, 16), seed: int = 0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        self.layers = [self.dense(a, b, [i]) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.norms = [self.norm(width) for width in self.units]
        self.readout = self.dense(widths[-1], 1, [len(self.units)])

    def call(self, x, projection=None):
        """Compute the outputs `(atoms,)` or `(members, atoms)` from inputs; see `AtomicNetwork`."""
        for layer, norm in zip(self.layers, self.norms):
            x = ops.silu(norm(layer(x, projection)))
            projection = None
        return ops.silu(self.readout(x))[..., 0]


@keras.saving.register_keras_serializable("keras_ff")
class ResNet(AtomicNetwork):
    """Residual network from the features of an atom to a number.

    Each block is Swish-1, `x / (1 + exp(-x))`, of the sum of a long and a short path. The long path has three linear layers, each
    with a layer normalization, and Swish-1 after the first two; the short path is a linear layer with a layer normalization. A
    linear layer turns the output of the last block into a number.

    Args:
        inputs: Number of features.
        units: Widths of the blocks.
        seed: Seed of the initial weights.
        kwargs: Arguments of `AtomicNetwork` (`members`) and of Keras layers.

    Raises:
        ValueError: If there is no block, one without units, or no members.

    Example:
        >>> import keras_ff as kff
        >>> network = kff.layers.ResNet(inputs=17, units=(16,))
        >>> network.count_params()
        1265

    Reference:
        Carrete et al., J. Chem. Phys. 158, 204801 (2023), section II.
    """

    def __init__(self, inputs: int, units: Sequence[int] = (64, 32, 16), seed: int = 0, **kwargs):
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
        """Compute the outputs `(atoms,)` or `(members, atoms)` from inputs; see `AtomicNetwork`."""
        for long, norms, short, short_norm in zip(self.long, self.long_norms, self.short, self.short_norms):
            y = ops.silu(norms[0](long[0](x, projection)))
            y = ops.silu(norms[1](long[1](y)))
            y = norms[2](long[2](y))
            x = ops.silu(y + short_norm(short(x, projection)))
            projection = None
        return self.readout(x)[..., 0]


@keras.saving.register_keras_serializable("keras_ff")
class LinearPlusMLP(AtomicNetwork):
    """Sum of a linear model and a small network of the features of an atom.

    A hidden layer is a linear layer and Swish-1, `x / (1 + exp(-x))`, scaled by 1.6766 to keep unit variance. There is no
    normalization: that the size of the features counts makes these networks generalize better from few structures than those of
    `MLP`. With `units=()` only the linear model remains, whose weights `keras_ff.models.fit_linear` fits by least squares.

    Args:
        inputs: Number of features.
        units: Widths of the hidden layers.
        seed: Seed of the initial weights.
        kwargs: Arguments of `AtomicNetwork` (`members`) and of Keras layers.

    Raises:
        ValueError: If a hidden layer has no units, or there are no members.

    Example:
        >>> import keras_ff as kff
        >>> network = kff.layers.LinearPlusMLP(inputs=17, units=(16, 16))
        >>> network.count_params()
        594
    """

    FEWEST_LAYERS = 0

    def __init__(self, inputs: int, units: Sequence[int] = (16, 16), seed: int = 0, **kwargs):
        super().__init__(inputs, units, seed, **kwargs)
        widths = (self.inputs, *self.units)
        self.layers = [self.dense(a, b, [i]) for i, (a, b) in enumerate(zip(widths, self.units))]
        self.readout = self.dense(widths[-1], 1, [len(self.units)]) if self.units else None
        self.linear = Dense(self.inputs, 1, None, use_bias=False, members=self.members, dtype=self.dtype_policy)

    def call(self, x, projection=None):
        """Compute the outputs `(atoms,)` or `(members, atoms)` from inputs; see `AtomicNetwork`."""
        linear = self.linear(x, projection)
        if not self.units:
            return linear[..., 0]
        return (self.readout(self.hidden(x, projection)) + linear)[..., 0]

    def hidden(self, x, projection=None):
        """Compute the outputs of the last hidden layer, `(atoms, units)` or `(members, atoms, units)`, from inputs."""
        y = SWISH_GAIN * ops.silu(self.layers[0](x, projection))
        for layer in self.layers[1:]:
            y = SWISH_GAIN * ops.silu(layer(y))
        return y
