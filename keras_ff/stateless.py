"""Models as functions of the values of their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Callable


def with_weights(model: keras.Model, values, function: Callable, *args):
    """Result of a function that uses a model, computed as if the weights of the model had other values.

    Args:
        model: Keras model that is built.
        values: List of tensors, one for each of `model.weights`. The result can be differentiated with respect to them.
        function: Function of `args` that calls the model.
        args: Arguments of the function.

    Returns:
        What `function(*args)` returns.

    Example:
        >>> import keras, numpy as np
        >>> from keras_ff.stateless import with_weights
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> float(with_weights(model, [np.array([[3.0]], "float32")], model, np.array([[2.0]], "float32"))[0, 0])
        6.0
    """
    with keras.StatelessScope(state_mapping=list(zip(model.weights, values, strict=True))):
        return function(*args)


def values_of(model: keras.Model) -> list:
    """Values of the weights of a model, a list of tensors in the order of `model.weights`."""
    # `ops.convert_to_tensor` would return the variables themselves on TensorFlow.
    return [ops.reshape(weight, weight.shape) for weight in model.weights]


def bound(model: keras.Model, function: Callable) -> Callable:
    """Function that uses the weights that a model has now, whenever it is called.

    A step of a loop that is computed again in reverse needs that: on TensorFlow it cannot hold the variables themselves.

    Args:
        model: Keras model that is built.
        function: Function that calls the model.

    Returns:
        Function of the same arguments.
    """
    values = values_of(model)
    return lambda *args: with_weights(model, values, function, *args)
