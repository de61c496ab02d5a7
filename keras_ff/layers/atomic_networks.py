"""Networks from the features of an atom to a number, alone or as the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import whole
from keras_ff.layers.stacked import Dense, LayerNorm, Stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

# 1 / sqrt(E[swish(x)²]) for normal x.
SWISH_GAIN = 1.6766


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
