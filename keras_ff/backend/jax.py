"""The backend functions on JAX: settings and transformations, with the derivatives and the mathematics."""

import os

import jax
import keras
from jax.experimental.compilation_cache import compilation_cache

from . import jax_derivatives, jax_distribution, jax_math
from .jax_arrays import arrays
from .jax_derivatives import *  # noqa: F403
from .jax_distribution import *  # noqa: F403
from .jax_math import *  # noqa: F403
from .shared import set_keras_float64, wraps

__all__ = [
    "backend_name",
    "cond",
    "enable_compilation_cache",
    "enable_float64",
    "jit",
    "scan",
    "vmap",
    *jax_derivatives.__all__,
    *jax_distribution.__all__,
    *jax_math.__all__,
]


def backend_name():
    """The active backend: "jax" or "tensorflow"."""
    return "jax"


def enable_float64():
    """Compute in float64 from here on; calling it again changes nothing.

    Call it before the first model is built: layers that exist keep their dtype.
    """
    jax.config.update("jax_enable_x64", True)
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
    jax.config.update("jax_compilation_cache_dir", os.path.abspath(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A cache that the first compilation found switched off stays off without this.
    compilation_cache.reset_cache()


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
    variables = [] if layer is None else layer.variables

    def with_values(values, args, kwargs):
        with keras.StatelessScope(state_mapping=list(zip(variables, values))):
            return function(*args, **kwargs)

    compiled = jax.jit(with_values if variables else lambda _, args, kwargs: function(*args, **kwargs))

    @wraps(function)
    def wrapped(*args, **kwargs):
        return compiled([variable.value for variable in variables], *arrays((args, kwargs)))

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
    mapped = jax.vmap(function, in_axes)
    return wraps(function)(lambda *args: mapped(*arrays(args)))


def cond(predicate, true_function, false_function, *args):
    """One of two functions of the same arguments; on TensorFlow both are computed. On JAX the other costs nothing.

    On JAX a reverse pass computes the inside of the chosen function anew instead of storing it.

    Args:
        predicate: Boolean scalar.
        true_function, false_function: Map arrays or nests of arrays of floating dtype to outputs of the same structure, shapes and
            dtypes. As in `custom_gradient`, what is differentiated by must be an argument. Integers and booleans that do not depend
            on the arguments may be read from around.

    Under `vmap` over the predicate both are computed.
    """
    # Without checkpoints, what each would store is written in zeros where the other is chosen.
    branches = (jax.checkpoint(function, prevent_cse=False) for function in (true_function, false_function))
    return jax.lax.cond(predicate, *branches, *arrays(args))


def scan(function, init, xs=None, length=None, checkpoint=False):
    """Repeat a step a fixed number of times; can be differentiated in reverse.

    Args:
        function: Maps `(carry, x)` to `(carry, y)`. The carry keeps its structure,
            shapes and dtypes; `y` may be None.
        init: Carry before the first step.
        xs: Array or nest of arrays whose leading axis is the steps, or None.
        length: Number of steps; needed if `xs` is None.
        checkpoint: Whether a reverse pass computes the inside of each step anew
            from its carry instead of storing it: the memory of one step and of
            `length` carries, for one more evaluation of `function`.

    Returns:
        `(carry, ys)`: the carry after the last step, and the outputs stacked
        along a leading axis.

    Raises:
        TypeError: If the carry changes its shape or dtype.
        ValueError: If neither `xs` nor `length` is given.
        NotImplementedError: On TensorFlow, if a step to be checkpointed uses
            variables in another way than by their values.

    TensorFlow without `jit` runs a Python loop, or with `checkpoint` traces the
    step at each call; with `jit` it cannot differentiate the loop four times.
    """
    if xs is None and length is None:
        raise ValueError("scan needs xs or length to know the number of steps. Received xs=None and length=None.")
    if checkpoint:
        function = jax.checkpoint(function, prevent_cse=False)
    return jax.lax.scan(function, arrays(init), arrays(xs), length)
