"""Conversion of arguments to arrays of JAX."""

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_ff.forks import check_process


def arrays(nest):
    """Nest of arrays of JAX, converted from Keras variables, NumPy arrays and Python numbers."""
    # Here, as all functions convert their arguments.
    check_process()
    return jax.tree.map(_array, nest)


def arguments(nest):
    """Nest that a compiled function of JAX takes: NumPy arrays are left to it, which converts them in a fraction of the time."""
    check_process()
    return jax.tree.map(lambda x: x if type(x) is np.ndarray else _array(x), nest)


def _array(x):
    if isinstance(x, jax.Array):
        return x
    if type(x) is float:
        return jnp.asarray(x, keras.config.floatx())
    if type(x) is int:
        return jnp.asarray(x, "int32")
    return keras.ops.convert_to_tensor(x)
