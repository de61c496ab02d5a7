"""Compilation and mapping of functions, and where they are computed."""

from collections.abc import Callable, Sequence

import keras

from keras_ff.backend.active import twin


def backend_name() -> str:
    """Name of the active backend, "jax" or "tensorflow"."""
    return keras.config.backend()


def accelerated() -> bool:
    """Whether functions are computed on a GPU or another accelerator, where many atoms at a time are best, and not on the CPU."""
    return twin.accelerated()


def peak_memory() -> int | None:
    """Most bytes of the memory of the accelerator that this process has used at a time, or None where that is not known."""
    return twin.peak_memory()


def jit(function: Callable, layer: keras.layers.Layer | None = None) -> Callable:
    """Compile a function with XLA, once for each set of shapes and dtypes.

    Arguments are arrays, nests of arrays, and Python numbers, which become
    arrays of Keras' floatx or int32. Called within another compiled function, it
    is compiled as a part of that.

    Args:
        function: The function to compile.
        layer: Keras layer or model whose variables `function` reads; each call
            uses their present values. On JAX the values of all other variables
            are constants of the compiled function.

    Returns:
        The compiled function, of the same arguments. As all functions of this package it raises a RuntimeError in the fork of
        a process that has computed.

    Example:
        >>> square = jit(lambda x: x * x)
        >>> float(square(3.0))
        9.0
    """
    return twin.jit(function, layer)


def vmap(function: Callable, in_axes: int | Sequence[int | None] = 0) -> Callable:
    """Function that applies another function to every slice of its arguments at once.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        in_axes: Axis of the arguments to map over, or a tuple with one axis for
            each argument, None for an argument that is the same for every slice.

    Returns:
        A function of the same positional arguments, whose results have the
        mapped axis first.

    Raises:
        ValueError: When called, if no argument has an axis to map over, or the
            axes are not as many as the arguments.

    Example:
        >>> lengths = vmap(lambda x, scale: scale * keras.ops.sum(x), in_axes=(0, None))
        >>> keras.ops.convert_to_numpy(lengths(keras.ops.ones((2, 3)), 0.5)).tolist()
        [1.5, 1.5]
    """
    return twin.vmap(function, in_axes)
