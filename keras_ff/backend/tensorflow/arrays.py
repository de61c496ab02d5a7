"""Arguments become tensors of TensorFlow."""

import keras
import tensorflow as tf


def arrays(nest):
    """Keras variables, NumPy arrays and Python numbers become tensors."""
    return tf.nest.map_structure(_array, nest)


def own_arrays(nest):
    """Copies, since a function may close over the very array it is to be differentiated by."""
    return tf.nest.map_structure(tf.identity, arrays(nest))


def _array(x):
    if x is None:
        return x
    if type(x) is float:
        return tf.constant(x, keras.config.floatx())
    return keras.ops.convert_to_tensor(x)
