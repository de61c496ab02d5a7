"""Compilation and mapping of functions on TensorFlow."""

import os

import tensorflow as tf

from ..shared import wraps
from .arrays import arrays


def accelerated():
    """Whether there is a GPU, on which TensorFlow places what is computed."""
    return bool(tf.config.list_logical_devices("GPU"))


def peak_memory():
    """Statistics of the first GPU."""
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"]) if accelerated() else None


def compilation_cache():
    """The flag of TensorFlow that names a folder, or None."""
    flags = os.environ.get("TF_XLA_FLAGS", "").split()
    return next((flag for flag in flags if "tf_xla_persistent_cache_directory" in flag), None)


def enable_compilation_cache(folder):
    """Set flags that TensorFlow reads at its first compilation."""
    flags = [flag for flag in os.environ.get("TF_XLA_FLAGS", "").split() if "tf_xla_persistent_cache" not in flag]
    flags.append(f"--tf_xla_persistent_cache_directory={folder}")
    flags.append("--tf_xla_persistent_cache_device_types=CPU,GPU")
    os.environ["TF_XLA_FLAGS"] = " ".join(flags)


def jit(function, layer=None):
    """Compiled function, which reads the present values of variables with `layer` or without."""
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @wraps(function)
    def wrapped(*args, **kwargs):
        args, kwargs = arrays((args, kwargs))
        return (compiled if tf.executing_eagerly() else function)(*args, **kwargs)

    return wrapped


def vmap(function, in_axes=0):
    """Mapped function by `tf.vectorized_map`, with the axes of JAX."""

    @wraps(function)
    def wrapped(*args):
        args = arrays(args)
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args) or all(axis is None for axis in axes):
            raise ValueError(
                f"vmap needs an axis to map over and one entry of in_axes for each argument. "
                f"Received in_axes={in_axes} and {len(args)} arguments."
            )
        mapped = {
            index: tf.nest.map_structure(lambda x, axis=axis: _axis_first(x, axis), args[index])
            for index, axis in enumerate(axes)
            if axis is not None
        }

        def one(slices):
            return function(*(slices.get(index, arg) for index, arg in enumerate(args)))

        return tf.vectorized_map(one, mapped)

    return wrapped


def _axis_first(x, axis):
    axes = list(range(x.shape.rank))
    axes.insert(0, axes.pop(axis))
    return tf.transpose(x, axes)
