"""Elementary functions on TensorFlow that stay in the precision of their argument."""

import keras
import tensorflow as tf

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


def _floating(x, dtype=None):
    """A tensor of floating dtype; integers and Python numbers take `dtype`, or Keras' floatx.

    Without a dtype TensorFlow rounds Python numbers to float32.
    """
    dtype = dtype or keras.config.floatx()
    if type(x) in (int, float):
        return tf.constant(x, dtype)
    x = keras.ops.convert_to_tensor(x)
    return x if x.dtype.is_floating or x.dtype.is_complex else tf.cast(x, dtype)


def _both_floating(x1, x2):
    """Two tensors in the wider dtype of the two arrays, whatever the Python numbers."""
    arrays = [_floating(x) for x in (x1, x2) if type(x) not in (int, float)]
    dtype = keras.backend.result_type(*(x.dtype for x in arrays)) if arrays else None
    x1, x2 = _floating(x1, dtype), _floating(x2, dtype)
    return (x1, x2) if dtype is None else (tf.cast(x1, dtype), tf.cast(x2, dtype))


def _unary(name, function):
    def elementary(x):
        return function(_floating(x))

    elementary.__name__ = elementary.__qualname__ = name
    elementary.__doc__ = f"`{name}` of each number, in the precision of `x`; integers count as Keras' floatx."
    return elementary


def _binary(name, function):
    def elementary(x1, x2):
        return function(*_both_floating(x1, x2))

    elementary.__name__ = elementary.__qualname__ = name
    elementary.__doc__ = f"`{name}` of each pair of numbers, in the wider precision of the two arrays."
    return elementary


def _logaddexp(x1, x2):
    # Of one shape, so that the gradients need no sum over broadcast axes.
    return _logaddexp_of_one_shape(x1 + tf.zeros_like(x2), x2 + tf.zeros_like(x1))


@tf.custom_gradient
def _logaddexp_of_one_shape(x1, x2):
    """The gradient is the sigmoid, smooth to every order where the maximum has a kink."""
    difference = x1 - x2
    difference = tf.where(tf.math.is_nan(difference), tf.zeros_like(difference), difference)  # inf - inf
    value = tf.maximum(x1, x2) + tf.math.log1p(tf.exp(-tf.abs(difference)))
    return value, lambda upstream: (upstream * tf.sigmoid(difference), upstream * tf.sigmoid(-difference))


sin = _unary("sin", tf.sin)
cos = _unary("cos", tf.cos)
tan = _unary("tan", tf.tan)
arcsin = _unary("arcsin", tf.asin)
arccos = _unary("arccos", tf.acos)
arctan = _unary("arctan", tf.atan)
sinh = _unary("sinh", tf.sinh)
cosh = _unary("cosh", tf.cosh)
tanh = _unary("tanh", tf.tanh)
erfc = _unary("erfc", tf.math.erfc)
floor = _unary("floor", tf.floor)
ceil = _unary("ceil", tf.math.ceil)
# The third derivative of tf.math.softplus overflows to NaN for large arguments.
softplus = _unary("softplus", lambda x: _logaddexp(x, tf.zeros_like(x)))
swish = _unary("swish", lambda x: x * tf.sigmoid(x))
arctan2 = _binary("arctan2", tf.atan2)
logaddexp = _binary("logaddexp", _logaddexp)


def mean(x, axis=None, keepdims=False):
    """Mean over an axis, several (tuple) or all (None), in the precision of `x`."""
    return tf.reduce_mean(_floating(x), axis=axis, keepdims=keepdims)


def var(x, axis=None, keepdims=False):
    """Mean squared deviation from the mean over an axis, several or all."""
    return tf.math.reduce_variance(_floating(x), axis=axis, keepdims=keepdims)


def norm(x, axis=None, keepdims=False):
    """Euclidean length over an axis, several or all.

    At the zero vector, where the length has no derivative, all derivatives are 0.
    """
    x = _floating(x)
    squares = tf.reduce_sum(x * x, axis=axis, keepdims=keepdims)
    # A safe argument of the root: `where` around the root alone gives NaN gradients.
    length = tf.sqrt(tf.where(squares > 0, squares, tf.ones_like(squares)))
    return tf.where(squares > 0, length, tf.zeros_like(length))


def solve(A, b):
    """Solution x of `A x = b`.

    Args:
        A: Square matrices, of shape `(..., n, n)`.
        b: One right-hand side `(n,)`, or matrices of them `(..., n, k)`.

    Returns:
        Array with the shape of `b`. Where `A` is singular, infinite or NaN
        numbers; on TensorFlow without `jit` an error.
    """
    A, b = _both_floating(A, b)
    if b.shape.rank == 1:
        return tf.linalg.solve(A, b[:, tf.newaxis])[:, 0]
    return tf.linalg.solve(A, b)
