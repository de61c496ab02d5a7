"""Derivatives on JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from .jax_arrays import arrays
from .shared import wraps

__all__ = [
    "custom_gradient",
    "grad",
    "hessian",
    "hvp",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]


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
        >>> from keras import ops
        >>> value, gradient = value_and_grad(lambda x: ops.sum(x**3))(ops.array([1.0, 2.0]))
        >>> float(value), ops.convert_to_numpy(gradient).tolist()
        (9.0, [3.0, 12.0])
    """
    differentiated = jax.value_and_grad(function, has_aux=has_aux)

    @wraps(function)
    def wrapped(x, *args, **kwargs):
        return differentiated(arrays(x), *args, **kwargs)

    return wrapped


def grad(function, has_aux=False):
    """Reverse-mode derivative of a scalar function; see `value_and_grad`.

    Returns:
        A function that returns the gradient, or with `has_aux`
        `(gradient, anything)`.
    """
    differentiated = value_and_grad(function, has_aux=has_aux)

    @wraps(function)
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
    return jax.jvp(function, arrays(tuple(primals)), arrays(tuple(tangents)))


def vjp(function, *primals):
    """Output of a function, and the product of any cotangent with its Jacobian.

    Returns:
        `(output, pullback)`: `pullback(cotangent)`, with a cotangent of the
        structure of the output, returns a tuple with one entry for each primal.
        It can be called more than once.
    """
    output, pullback = jax.vjp(function, *arrays(primals))
    return output, lambda cotangent: pullback(arrays(cotangent))


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
    x = arrays(x)

    def row(index):
        return hvp(function, x, jnp.zeros(x.size, x.dtype).at[index].set(1).reshape(x.shape))

    rows = jax.vmap(row)(jnp.arange(x.size)) if chunk is None else jax.lax.map(row, jnp.arange(x.size), batch_size=chunk)
    return rows.reshape(x.shape + x.shape)


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
    return wraps(function)(lambda *args: differentiable(*arrays(args)))


def stop_gradient(x):
    """The same array or nest of arrays, a constant to every derivative."""
    return jax.lax.stop_gradient(arrays(x))


def _zero_cotangent(x):
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)
