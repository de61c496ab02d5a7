"""Derivatives on TensorFlow."""

import tensorflow as tf

from . import tensorflow_gradients
from .shared import wraps
from .tensorflow_arrays import arrays, own_arrays
from .tensorflow_scan import scan

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

tensorflow_gradients.register()


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

    @wraps(function)
    def wrapped(x, *args, **kwargs):
        x = own_arrays(x)
        for leaf in tf.nest.flatten(x):
            if not leaf.dtype.is_floating:
                raise TypeError(
                    "A gradient needs arrays of a floating dtype in the first argument. "
                    f"Received an array of dtype {leaf.dtype.name} and shape {leaf.shape}."
                )
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            result = function(x, *args, **kwargs)
            value = tf.convert_to_tensor(result[0] if has_aux else result)
            result = (value, result[1]) if has_aux else value
        if value.shape.rank:
            raise TypeError(
                f"A gradient is defined for a function that returns a scalar. Received a value of shape {value.shape}: "
                "sum over it, or use vjp."
            )
        return result, tape.gradient(value, x, unconnected_gradients="zero")

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
    # The pullback is linear in the cotangent: its derivative by it is the
    # derivative along the tangent. tf.autodiff.ForwardAccumulator fails in
    # compiled loops, and nested ones return wrong numbers in eager loops.
    output, pullback = vjp(function, *primals)
    cotangent = tf.nest.map_structure(tf.zeros_like, output)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(cotangent)
        pulled = pullback(cotangent)
    return output, tape.gradient(pulled, cotangent, output_gradients=arrays(tuple(tangents)), unconnected_gradients="zero")


def vjp(function, *primals):
    """Output of a function, and the product of any cotangent with its Jacobian.

    Returns:
        `(output, pullback)`: `pullback(cotangent)`, with a cotangent of the
        structure of the output, returns a tuple with one entry for each primal.
        It can be called more than once.
    """
    primals = own_arrays(primals)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(primals)
        output = tf.nest.map_structure(tf.convert_to_tensor, function(*primals))

    def pullback(cotangent):
        return tape.gradient(output, primals, output_gradients=arrays(cotangent), unconnected_gradients="zero")

    return output, pullback


def hvp(function, x, v):
    """Product of the Hessian matrix of a scalar function with a vector.

    Args:
        function: Takes one array (or nest of arrays), returns a scalar.
        x: Where the Hessian is taken.
        v: Vector, with the structure of `x`.

    Returns:
        Product, with the structure of `x`.
    """
    return vjp(grad(function), x)[1](v)[0]


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
    size = tf.size(x) if x.shape.num_elements() is None else x.shape.num_elements()
    _, pullback = vjp(grad(function), x)

    def row(index):
        return pullback(tf.reshape(tf.one_hot(index, size, dtype=x.dtype), tf.shape(x)))[0]

    if chunk is None:
        rows = tf.vectorized_map(row, tf.range(size))
    else:
        # The last chunk repeats rows to be of the same size as the others.
        chunks = -(-size // chunk)
        indices = tf.reshape(tf.minimum(tf.range(chunks * chunk), size - 1), (chunks, chunk))
        _, rows = scan(lambda carry, index: (carry, tf.vectorized_map(row, index)), (), indices)
    rows = tf.reshape(rows, tf.concat([[-1], tf.shape(x)], 0))[:size]
    return tf.reshape(rows, tf.concat([tf.shape(x), tf.shape(x)], 0))


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

    @wraps(function)
    def wrapped(*args):
        args = arrays(args)
        structure = []

        @tf.custom_gradient
        def flat(*leaves):
            inner = tf.nest.pack_sequence_as(args, leaves)
            output, pullback = function(*inner)
            structure.append(output)

            def flat_pullback(*cotangents, variables=None):
                gradients = pullback(tf.nest.pack_sequence_as(output, cotangents))
                gradients = gradients if isinstance(gradients, tuple) else (gradients,)
                full = [
                    tf.nest.map_structure(tf.zeros_like, arg) if gradient is None else gradient
                    for arg, gradient in zip(inner, gradients, strict=True)
                ]
                gradients = tf.nest.flatten(full)
                return gradients if variables is None else (gradients, [None] * len(variables))

            return tf.nest.flatten(output), flat_pullback

        output = flat(*tf.nest.flatten(args))
        return tf.nest.pack_sequence_as(structure[0], tf.nest.flatten(output))

    return wrapped


def stop_gradient(x):
    """The same array or nest of arrays, a constant to every derivative."""
    return tf.nest.map_structure(tf.stop_gradient, arrays(x))
