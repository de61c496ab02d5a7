"""Elementary functions on TensorFlow."""

import tensorflow as tf
from keras import ops


def erfc(x):
    """Complementary error function in the precision of `x`."""
    return tf.math.erfc(ops.convert_to_tensor(x))


def softplus(x):
    """Softplus function in the precision of `x`."""
    return _softplus(ops.convert_to_tensor(x))


@tf.custom_gradient
def _softplus(x):
    """Softplus function whose gradient is the sigmoid, smooth to every order; that of `tf.math.softplus` overflows to NaN."""
    value = tf.maximum(x, 0) + tf.math.log1p(tf.exp(-tf.abs(x)))
    return value, lambda upstream: upstream * tf.sigmoid(x)
