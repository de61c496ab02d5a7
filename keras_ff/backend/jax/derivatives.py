"""Derivatives on JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from ..shared import wraps
from .arrays import arrays


def value_and_grad(function, has_aux=False):
    """Of `jax.value_and_grad`, with arguments that are converted."""
    differentiated = jax.value_and_grad(function, has_aux=has_aux)

    @wraps(function)
    def wrapped(x, *args, **kwargs):
        return differentiated(arrays(x), *args, **kwargs)

    return wrapped


def jvp(function, primals, tangents):
    """Forward mode."""
    return jax.jvp(function, arrays(tuple(primals)), arrays(tuple(tangents)))


def vjp(function, *primals):
    """Reverse mode."""
    output, pullback = jax.vjp(function, *arrays(primals))
    return output, lambda cotangent: pullback(arrays(cotangent))


def hvp(function, x, v):
    """Forward over reverse."""
    return jvp(lambda x: value_and_grad(function)(x)[1], (x,), (v,))[1]


def custom_gradient(function):
    """`jax.custom_gradient`, with gradients that may be None."""

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
    """Of every array of the nest."""
    return jax.lax.stop_gradient(arrays(x))


def _zero_cotangent(x):
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)
