"""Conversion of arguments to tensors of TensorFlow."""

import keras
import tensorflow as tf

from keras_ff.forks import check_process


def arrays(nest):
    """Nest of tensors, converted from Keras variables, NumPy arrays and Python numbers."""
    # Here, as all functions convert their arguments.
    check_process()
    return tf.nest.map_structure(_array, nest)


def own_arrays(nest):
    """Nest of copies, since a function may capture the same array that it is differentiated with respect to."""
    return tf.nest.map_structure(tf.identity, arrays(nest))


def _array(x):
    if x is None:
        return x
    if type(x) is float:
        return tf.constant(x, keras.config.floatx())
    return keras.ops.convert_to_tensor(x)
