"""Derivatives on JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from ..shared import wraps
from .arrays import arrays


def value_and_grad(function, has_aux=False):
    """Value and gradient by `jax.value_and_grad`, with converted arguments."""
    differentiated = jax.value_and_grad(function, has_aux=has_aux)

    @wraps(function)
    def wrapped(x, *args, **kwargs):
        return differentiated(arrays(x), *args, **kwargs)

    return wrapped


def jvp(function, primals, tangents):
    """Derivative along a tangent, by forward mode."""
    return jax.jvp(function, arrays(tuple(primals)), arrays(tuple(tangents)))


def vjp(function, *primals):
    """Output and pullback, by reverse mode."""
    output, pullback = jax.vjp(function, *arrays(primals))
    return output, lambda cotangent: pullback(arrays(cotangent))


def hvp(function, x, v):
    """Product of Hessian matrix and vector, by forward over reverse mode."""
    return jvp(lambda x: value_and_grad(function)(x)[1], (x,), (v,))[1]


def custom_gradient(function):
    """Function whose derivative is given to `jax.custom_gradient`; its gradients may be None."""

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
    """Nest of arrays that derivatives treat as constants."""
    return jax.lax.stop_gradient(arrays(x))


def _zero_cotangent(x):
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)
