"""Gradients of slices under XLA, which TensorFlow 2.21 lacks.

Under XLA the gradient of a slice is the operation `XlaDynamicUpdateSlice`, and
that of a concatenation consists of slices. The operation has no gradient of its own, so
that third derivatives fail, and no rule for `tf.vectorized_map`, so that
Hessian matrices fail. Both are registered here.

`tensorflow.compiler` and `tensorflow.python` are private. If they move, the
import fails, and with it the backend; without the rules, third derivatives and
`vmap` of second derivatives fail under XLA.
"""

import contextlib

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_dynamic_slice, xla_dynamic_update_slice
from tensorflow.python.ops.parallel_for import pfor


def register():
    """Register the rules, unless TensorFlow has them."""
    for operation, gradient, vectorized in (
        ("XlaDynamicSlice", _slice_gradient, _vectorized_slice),
        ("XlaDynamicUpdateSlice", _update_slice_gradient, _vectorized_update_slice),
    ):
        with contextlib.suppress(KeyError):
            tf.RegisterGradient(operation)(gradient)
        with contextlib.suppress(AssertionError):
            pfor.RegisterPFor(operation)(vectorized)


def _slice_gradient(op, upstream):
    x, start_indices, _ = op.inputs
    return xla_dynamic_update_slice(tf.zeros_like(x), upstream, start_indices), None, None


def _update_slice_gradient(op, upstream):
    _, update, indices = op.inputs
    return (
        xla_dynamic_update_slice(upstream, tf.zeros_like(update), indices),
        xla_dynamic_slice(upstream, indices, tf.shape(update, out_type=indices.dtype)),
        None,
    )


def _vectorized_slice(loop):
    # The mapped axis is the first, and all of it is kept.
    x, start_indices, sizes = loop.stacked_input(0), loop.unstacked_input(1), loop.unstacked_input(2)
    start_indices = tf.concat([tf.zeros(1, start_indices.dtype), start_indices], 0)
    sizes = tf.concat([tf.cast(loop.pfor.loop_len_vector, sizes.dtype), sizes], 0)
    return pfor.wrap(xla_dynamic_slice(x, start_indices, sizes), True)


def _vectorized_update_slice(loop):
    loop.stack_inputs([0, 1])
    x, update, indices = loop.stacked_input(0), loop.stacked_input(1), loop.unstacked_input(2)
    indices = tf.concat([tf.zeros(1, indices.dtype), indices], 0)
    return pfor.wrap(xla_dynamic_update_slice(x, update, indices), True)
