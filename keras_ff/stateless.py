"""Models as functions of their weights."""

import keras
from keras import ops


def with_weights(model, values, function, *args):
    """`function(*args)`, computed as if the weights of `model` had `values`."""
    with keras.StatelessScope(state_mapping=list(zip(model.weights, values, strict=True))):
        return function(*args)


def values_of(model):
    """Values of the weights of a model as tensors: `ops.convert_to_tensor` leaves variables what they are on TensorFlow."""
    return [ops.reshape(weight, weight.shape) for weight in model.weights]


def bound(model, function):
    """A function that reads the weights of a model as they are now, whenever it is called.

    A step of a loop that is computed again in reverse needs that: on TensorFlow it cannot hold the variables themselves.
    """
    values = values_of(model)
    return lambda *args: with_weights(model, values, function, *args)
