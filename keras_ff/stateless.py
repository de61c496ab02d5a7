"""Models as functions of their weights."""

import keras


def with_weights(model, values, function, *args):
    """`function(*args)`, computed as if the weights of `model` had `values`."""
    with keras.StatelessScope(state_mapping=list(zip(model.weights, values, strict=True))):
        return function(*args)
