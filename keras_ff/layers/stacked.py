"""Layers that can stand for several of their kind with weights of their own: the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence


@keras.saving.register_keras_serializable("keras_ff")
class LeCunNormal(keras.initializers.Initializer):
    """Initializer with normal numbers of variance 1 / inputs, drawn with NumPy: the same on every backend.

    Args:
        seed: Seed: an int, or a sequence of ints.
        members: Length of a leading axis, along which the members of a committee lie; None for none. Member m has the numbers
            that `seed + m` gives alone; of a sequence of ints, the first is raised by m.

    Example:
        >>> from keras_ff.layers.stacked import LeCunNormal
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
