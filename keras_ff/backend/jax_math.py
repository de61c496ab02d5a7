"""Elementary functions on JAX that stay in the precision of their argument.

`keras.ops` computes these in float32 up to Keras 3.15.1 (Keras issue 23223).
"""

import jax
import jax.numpy as jnp
import keras

__all__ = [
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "ceil",
    "cos",
    "cosh",
    "erfc",
    "floor",
    "logaddexp",
    "mean",
    "norm",
    "sin",
    "sinh",
    "softplus",
    "solve",
    "swish",
    "tan",
    "tanh",
    "var",
]


def _floating(x):
    """An array of floating dtype; integers and Python numbers take Keras' floatx."""
    x = x if isinstance(x, jax.Array) else keras.ops.convert_to_tensor(x, **_floatx_of_number(x))
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(keras.config.floatx())


def _floatx_of_number(x):
    return {"dtype": keras.config.floatx()} if type(x) in (int, float) else {}


def _unary(name, function):
    def elementary(x):
        return function(_floating(x))

    elementary.__name__ = elementary.__qualname__ = name
    elementary.__doc__ = f"`{name}` of each number, in the precision of `x`; integers count as Keras' floatx."
    return elementary


def _binary(name, function):
    def elementary(x1, x2):
        numbers = (int, float)
        x1, x2 = (x if type(x) in numbers else _floating(x) for x in (x1, x2))
        return function(x1, x2)

    elementary.__name__ = elementary.__qualname__ = name
    elementary.__doc__ = f"`{name}` of each pair of numbers, in the wider precision of the two arrays."
    return elementary


sin = _unary("sin", jnp.sin)
cos = _unary("cos", jnp.cos)
tan = _unary("tan", jnp.tan)
arcsin = _unary("arcsin", jnp.arcsin)
arccos = _unary("arccos", jnp.arccos)
arctan = _unary("arctan", jnp.arctan)
sinh = _unary("sinh", jnp.sinh)
cosh = _unary("cosh", jnp.cosh)
tanh = _unary("tanh", jnp.tanh)
erfc = _unary("erfc", jax.scipy.special.erfc)
floor = _unary("floor", jnp.floor)
ceil = _unary("ceil", jnp.ceil)
softplus = _unary("softplus", jax.nn.softplus)
swish = _unary("swish", lambda x: x * jax.nn.sigmoid(x))
arctan2 = _binary("arctan2", jnp.arctan2)
logaddexp = _binary("logaddexp", jnp.logaddexp)


def mean(x, axis=None, keepdims=False):
    """Mean over an axis, several (tuple) or all (None), in the precision of `x`."""
    return jnp.mean(_floating(x), axis=axis, keepdims=keepdims)


def var(x, axis=None, keepdims=False):
    """Mean squared deviation from the mean over an axis, several or all."""
    return jnp.var(_floating(x), axis=axis, keepdims=keepdims)


def norm(x, axis=None, keepdims=False):
    """Euclidean length over an axis, several or all.

    At the zero vector, where the length has no derivative, all derivatives are 0.
    """
    x = _floating(x)
    squares = jnp.sum(x * x, axis=axis, keepdims=keepdims)
    # A safe argument of the root: `where` around the root alone gives NaN gradients.
    length = jnp.sqrt(jnp.where(squares > 0, squares, 1))
    return jnp.where(squares > 0, length, 0)


def solve(A, b):
    """Solution x of `A x = b`.

    Args:
        A: Square matrices, of shape `(..., n, n)`.
        b: One right-hand side `(n,)`, or matrices of them `(..., n, k)`.

    Returns:
        Array with the shape of `b`. Where `A` is singular, infinite or NaN
        numbers; on TensorFlow without `jit` an error.
    """
    return jnp.linalg.solve(_floating(A), _floating(b))
