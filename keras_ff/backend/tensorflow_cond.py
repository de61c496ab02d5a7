"""A choice between two functions on TensorFlow."""

import tensorflow as tf

from .tensorflow_arrays import arrays


def cond(predicate, true_function, false_function, *args):
    """One of two functions of the same arguments; on TensorFlow both are computed. On JAX the other costs nothing.

    On JAX a reverse pass computes the inside of the chosen function anew instead of storing it.

    Args:
        predicate: Boolean scalar.
        true_function, false_function: Map arrays or nests of arrays of floating dtype to outputs of the same structure, shapes and
            dtypes. As in `custom_gradient`, what is differentiated by must be an argument. Integers and booleans that do not depend
            on the arguments may be read from around.

    Under `vmap` over the predicate both are computed.
    """
    args = arrays(args)
    # XLA does not compile the second derivatives of every tf.cond with a gather in it, and the pullback of a custom gradient cannot
    # read the arguments of a step once the compiled loop around it is rewritten.
    return tf.nest.map_structure(lambda x, y: tf.where(predicate, x, y), true_function(*args), false_function(*args))
