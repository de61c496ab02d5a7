"""What the two backends share."""

import functools

import keras


def set_keras_float64():
    """Make float64 the default of Keras, and keep it float64 inside Keras.

    Up to Keras 3.15.1 the table below turns float64 into float32 in `sin`,
    `tanh`, `mean`, `layer_normalization` and others on JAX (Keras issue 23223).
    """
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE
    except ImportError:  # A later Keras has no such table.
        return
    BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def wraps(function):
    """`functools.wraps` that leaves the attributes alone, since a function may be a Keras layer."""
    return functools.wraps(function, updated=())


def some_of(devices, count):
    """The first devices of a list, all if `count` is None.

    Raises:
        ValueError: If there are fewer, or none is wanted.
    """
    count = len(devices) if count is None else count
    if not 1 <= count <= len(devices):
        raise ValueError(
            f"Received devices={count}, and there are {len(devices)}: {devices}. Name at most these, or leave `devices` out."
        )
    return devices[:count]
