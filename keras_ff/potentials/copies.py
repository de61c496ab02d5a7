"""Copies of layers with weights of their own."""

import numpy as np
from keras import ops


def copied(layer):
    """A layer of the same configuration and weights."""
    copy = type(layer).from_config(layer.get_config())
    copy_weights(copy.weights, layer.weights)
    return copy


def copy_weights(new, old):
    """Give weights the values of others of the same shapes, and what of them can be trained."""
    for mine, theirs in zip(new, old, strict=True):
        # Not the array itself: on JAX, training one of the two models would delete it.
        mine.assign(ops.copy(ops.convert_to_tensor(theirs)))
        mine.trainable = theirs.trainable


def shared(layers):
    """A copy of layers that are the same in several models, which become the members of a committee.

    Raises:
        ValueError: If their weights differ.
    """
    for weights in zip(*(layer.weights for layer in layers), strict=True):
        require_equal(weights)
    return copied(layers[0])


def require_equal(weights):
    """Raise a ValueError unless weights of several models, which a committee would share, have the same values."""
    first, *others = (ops.convert_to_numpy(weight) for weight in weights)
    if not all(np.array_equal(first, other) for other in others):
        raise ValueError(
            f"The members of an ensemble share {weights[0].path}, which differs between the models. Adapt them to the same "
            "data, with the same reference energies, and leave descriptors and other terms as they are."
        )
