"""The backend functions on JAX."""

import functools
import os

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from .jax_math import *  # noqa: F403
from .jax_math import __all__ as _math_names
from .precision import set_keras_float64

__all__ = [
    "backend_name",
    "custom_gradient",
    "enable_compilation_cache",
    "enable_float64",
    "grad",
    "hessian",
    "hvp",
    "jit",
    "jvp",
    "scan",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
    *_math_names,
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


def value_and_grad(function, has_aux=False):
    """Value and reverse-mode derivative of a scalar function.

    Args:
        function: Takes an array (or a nest of arrays) to differentiate by, and
            any further arguments; returns a scalar, or with `has_aux` a tuple
            `(scalar, anything)`.
        has_aux: Whether `function` returns such a tuple.

    Returns:
        A function of the same arguments that returns `(value, gradient)`, or
        `((value, anything), gradient)`. The gradient has the structure of the
        first argument, and is zero where the value does not depend on it.

    Raises:
        TypeError: When called, if the value is not a scalar, or the first
            argument holds something that is not of a floating dtype.

    Example:
        >>> value, gradient = value_and_grad(lambda x: keras.ops.sum(x**3))(keras.ops.array([1.0, 2.0]))
        >>> float(value), keras.ops.convert_to_numpy(gradient).tolist()
        (9.0, [3.0, 12.0])
    """
    differentiated = jax.value_and_grad(function, has_aux=has_aux)

    @functools.wraps(function)
    def wrapped(x, *args, **kwargs):
        return differentiated(_arrays(x), *args, **kwargs)

    return wrapped


def grad(function, has_aux=False):
    """Reverse-mode derivative of a scalar function; see `value_and_grad`.

    Returns:
        A function that returns the gradient, or with `has_aux`
        `(gradient, anything)`.
    """
    differentiated = value_and_grad(function, has_aux=has_aux)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        value, gradient = differentiated(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jvp(function, primals, tangents):
    """Derivative of a function along a direction.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        primals: Tuple with one entry for each argument.
        tangents: Tuple of directions, with the structure of `primals`.

    Returns:
        `(output, derivative of the output)`.
    """
    return jax.jvp(function, _arrays(tuple(primals)), _arrays(tuple(tangents)))


def vjp(function, *primals):
    """Output of a function, and the product of any cotangent with its Jacobian.

    Returns:
        `(output, pullback)`: `pullback(cotangent)`, with a cotangent of the
        structure of the output, returns a tuple with one entry for each primal.
        It can be called more than once.
    """
    output, pullback = jax.vjp(function, *_arrays(primals))
    return output, lambda cotangent: pullback(_arrays(cotangent))


def hvp(function, x, v):
    """Product of the Hessian matrix of a scalar function with a vector.

    Args:
        function: Takes one array (or nest of arrays), returns a scalar.
        x: Where the Hessian is taken.
        v: Vector, with the structure of `x`.

    Returns:
        Product, with the structure of `x`.
    """
    return jvp(grad(function), (x,), (v,))[1]


def hessian(function, x, chunk=None):
    """All second derivatives of a scalar function of one array.

    Rows are computed together, as products of the Hessian with unit vectors.

    Args:
        function: Takes one array, returns a scalar.
        x: Array of any shape.
        chunk: Number of rows computed at a time, to bound the memory; all if None.

    Returns:
        Second derivatives, of shape `x.shape + x.shape`.
    """
    x = _arrays(x)

    def row(index):
        return hvp(function, x, jnp.zeros(x.size, x.dtype).at[index].set(1).reshape(x.shape))

    rows = jax.vmap(row)(jnp.arange(x.size)) if chunk is None else jax.lax.map(row, jnp.arange(x.size), batch_size=chunk)
    return rows.reshape(x.shape + x.shape)


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
    return functools.wraps(function)(lambda *args: mapped(*_arrays(args)))


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
    return jax.lax.scan(function, _arrays(init), _arrays(xs), length)


def jit(function, layer=None):
    """Compile a function with XLA, once for each set of shapes and dtypes.

    Arguments are arrays, Python numbers and nests of them. Inside another
    compiled function it becomes part of that.

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

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        return compiled([variable.value for variable in variables], *_arrays((args, kwargs)))

    return wrapped


def custom_gradient(function):
    """Give a function a derivative written by hand.

    Args:
        function: Maps arrays (or nests of arrays) to `(output, pullback)`, where
            `pullback(cotangent)` takes a cotangent with the structure of the
            output and returns a tuple with one gradient for each argument (None
            for zero). For one argument it may return the gradient itself. What
            `pullback` computes is differentiated in turn for higher orders.
            Arrays and variables to differentiate by must be arguments: those
            that `function` reads from around it get no gradient.

    Returns:
        A function of the same positional arguments that returns the output.
    """

    def with_tuple(*args):
        output, pullback = function(*args)

        def full_pullback(cotangent):
            gradients = pullback(cotangent)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            return tuple(
                jax.tree.map(_zero_cotangent, arg) if gradient is None else gradient
                for arg, gradient in zip(args, gradients, strict=True)
            )

        return output, full_pullback

    differentiable = jax.custom_gradient(with_tuple)
    return functools.wraps(function)(lambda *args: differentiable(*_arrays(args)))


def stop_gradient(x):
    """The same array or nest of arrays, a constant to every derivative."""
    return jax.lax.stop_gradient(_arrays(x))


def _zero_cotangent(x):
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)


def _arrays(nest):
    """Keras variables, NumPy arrays and Python numbers become arrays."""
    return jax.tree.map(_array, nest)


def _array(x):
    if isinstance(x, jax.Array):
        return x
    if type(x) is float:
        return jnp.asarray(x, keras.config.floatx())
    if type(x) is int:
        return jnp.asarray(x, "int32")
    return keras.ops.convert_to_tensor(x)
