"""Copies of layers with weights of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras


def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Copy of a layer, with the same configuration and the same values of the weights."""
    copy = type(layer).from_config(layer.get_config())
    copy_weights(copy.weights, layer.weights)
    return copy


def copy_weights(new: Sequence, old: Sequence) -> None:
    """Give weights the values of others, and make them trainable if the others are.

    Args:
        new: Weights that are changed.
        old: Weights of the same shapes in the same order.
    """
    for mine, theirs in zip(new, old, strict=True):
        # Not the array itself: on JAX, training one of the two models would delete it.
        mine.assign(ops.copy(ops.convert_to_tensor(theirs)))
        mine.trainable = theirs.trainable


def shared(layers: Sequence[keras.layers.Layer]) -> keras.layers.Layer:
    """Copy of a layer that is the same in several models, which become the members of a committee.

    Args:
        layers: The layer of each model.

    Raises:
        ValueError: If their weights differ.
    """
    for weights in zip(*(layer.weights for layer in layers), strict=True):
        require_equal(weights)
    return copied(layers[0])


def require_equal(weights: Sequence) -> None:
    """Check that a weight, which the members of a committee would share, has the same values in several models.

    Args:
        weights: The weight of each model.

    Raises:
        ValueError: If the values differ.
    """
    first, *others = (ops.convert_to_numpy(weight) for weight in weights)
    if not all(np.array_equal(first, other) for other in others):
        raise ValueError(
            f"The members of an ensemble share {weights[0].path}, which differs between the models. Adapt them to the same "
            "data, with the same reference energies, and leave descriptors and other terms as they are."
        )
