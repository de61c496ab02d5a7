"""Derivatives on TensorFlow."""

import tensorflow as tf

from ..shared import wraps
from . import gradients
from .arrays import arrays, own_arrays

gradients.register()


def value_and_grad(function, has_aux=False):
    """Value and gradient by a tape, with the errors that JAX raises."""

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


def jvp(function, primals, tangents):
    """Derivative along a tangent, by reverse mode twice."""
    # The pullback is linear in the cotangent: its derivative with respect to
    # that is the derivative along the tangent. tf.autodiff.ForwardAccumulator fails in
    # compiled loops, and nested ones return wrong numbers in eager loops.
    output, pullback = vjp(function, *primals)
    cotangent = tf.nest.map_structure(tf.zeros_like, output)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(cotangent)
        pulled = pullback(cotangent)
    return output, tape.gradient(pulled, cotangent, output_gradients=arrays(tuple(tangents)), unconnected_gradients="zero")


def vjp(function, *primals):
    """Output and pullback, by a persistent tape."""
    primals = own_arrays(primals)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(primals)
        output = tf.nest.map_structure(tf.convert_to_tensor, function(*primals))

    def pullback(cotangent):
        return tape.gradient(output, primals, output_gradients=arrays(cotangent), unconnected_gradients="zero")

    return output, pullback


def hvp(function, x, v):
    """Product of Hessian matrix and vector, by reverse over reverse mode."""
    return vjp(lambda x: value_and_grad(function)(x)[1], x)[1](v)[0]


def custom_gradient(function):
    """Function of nests whose derivative is given to `tf.custom_gradient`; its gradients may be None."""

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
    """Nest of tensors that derivatives treat as constants."""
    return tf.nest.map_structure(tf.stop_gradient, arrays(x))
