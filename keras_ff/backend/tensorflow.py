"""The backend functions on TensorFlow: settings and transformations, with the derivatives and the mathematics."""

import os

import tensorflow as tf

from . import tensorflow_derivatives, tensorflow_distribution, tensorflow_math
from .shared import set_keras_float64, wraps
from .tensorflow_arrays import arrays
from .tensorflow_cond import cond
from .tensorflow_derivatives import *  # noqa: F403
from .tensorflow_distribution import *  # noqa: F403
from .tensorflow_math import *  # noqa: F403
from .tensorflow_scan import scan

__all__ = [
    "backend_name",
    "cond",
    "enable_compilation_cache",
    "enable_float64",
    "jit",
    "scan",
    "vmap",
    *tensorflow_derivatives.__all__,
    *tensorflow_distribution.__all__,
    *tensorflow_math.__all__,
]


def backend_name():
    """The active backend: "jax" or "tensorflow"."""
    return "tensorflow"


def enable_float64():
    """Compute in float64 from here on; calling it again changes nothing.

    Call it before the first model is built: layers that exist keep their dtype.
    """
    set_keras_float64()


def enable_compilation_cache(folder):
    """Keep compiled functions in a folder, where the next process finds them.

    Call it before the first computation: TensorFlow reads the setting once, at
    its first compilation, and a later call has no effect there. Only functions
    compiled by XLA are kept (`jit`, and models with `jit_compile=True`);
    tracing them still takes its time. The folder serves one kind of machine and
    may be deleted at any time.

    Args:
        folder: Path, created if it does not exist.
    """
    os.makedirs(folder, exist_ok=True)
    flags = [flag for flag in os.environ.get("TF_XLA_FLAGS", "").split() if "tf_xla_persistent_cache" not in flag]
    flags.append(f"--tf_xla_persistent_cache_directory={os.path.abspath(folder)}")
    flags.append("--tf_xla_persistent_cache_device_types=CPU,GPU")
    os.environ["TF_XLA_FLAGS"] = " ".join(flags)


def jit(function, layer=None):
    """Compile a function with XLA, once for each set of shapes and dtypes.

    Arguments are arrays, nests of arrays, and Python numbers, which become
    arrays of Keras' floatx or int32. Inside another compiled function it becomes
    part of that.

    Args:
        function: The function to compile.
        layer: Keras layer or model whose variables `function` reads; each call
            sees their present values. On JAX the values of variables that are
            reached in another way are constants of the compiled function.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @wraps(function)
    def wrapped(*args, **kwargs):
        args, kwargs = arrays((args, kwargs))
        return (compiled if tf.executing_eagerly() else function)(*args, **kwargs)

    return wrapped


def vmap(function, in_axes=0):
    """Apply a function to every slice of its arguments at once.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        in_axes: Axis of the arguments to map over, or a tuple with one axis for
            each argument, None for those that are the same for every slice.

    Returns:
        A function of the same positional arguments, whose results have the
        mapped axis first.
    """

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
