"""Loops and conditional functions on TensorFlow: eager, in a graph, and with steps that are computed again in reverse mode."""

import keras
import tensorflow as tf

from .arrays import arrays
from .recompute import new_graph, recomputed


def cond(predicate, true_function, false_function, *args):
    """Result of one of two functions, both of which are computed."""
    args = arrays(args)
    # XLA does not compile the second derivatives of every tf.cond with a gather in it, and the pullback of a custom gradient cannot
    # read the arguments of a step once the compiled loop around it is rewritten.
    return tf.nest.map_structure(lambda x, y: tf.where(predicate, x, y), true_function(*args), false_function(*args))


def scan(function, init, xs=None, length=None, checkpoint=False):
    """Python loop in eager execution, `tf.while_loop` in compiled functions."""
    init, xs = arrays(init), arrays(xs)
    if tf.executing_eagerly():
        # With checkpoints too: as a graph without XLA, TensorFlow 2.21's constant folding loses what a loop of forces collects.
        return _scan_loop(function, init, xs, length)
    return _scan_graph(function, init, xs, length, checkpoint)


def _scan_loop(function, init, xs, length):
    """Python loop, for eager execution."""
    length = _steps(xs, length)
    step = _checked(function, init)
    carry, ys = init, []
    for index in range(length):
        carry, y = step(carry, _at(xs, index))
        ys.append(y)
    if not ys:
        return carry, _map(lambda spec: tf.zeros((0, *spec.shape), spec.dtype), _output_spec(step, init, xs))
    return carry, _map(lambda *leaves: tf.stack(leaves), *ys)


def _scan_graph(function, init, xs, length, checkpoint):
    """`tf.while_loop` with a known number of steps, which XLA can differentiate."""
    length = _steps(xs, length)
    step = _checked(function, init)
    step, outputs = _recomputed(step, init, xs) if checkpoint else (step, _output_spec(step, init, xs))
    stacks = [tf.TensorArray(spec.dtype, size=length, element_shape=spec.shape) for spec in _leaves(outputs)]

    def body(index, carry, stacks):
        carry, y = step(carry, _at(xs, index))
        return index + 1, carry, [stack.write(index, leaf) for stack, leaf in zip(stacks, _leaves(y), strict=True)]

    _, carry, stacks = tf.while_loop(lambda index, *_: index < length, body, (0, init, stacks), maximum_iterations=length)
    return carry, _rebuild(outputs, [stack.stack() for stack in stacks])


def _recomputed(step, init, xs):
    """Checkpointed step, as `recomputed` needs lists of tensors; and shapes and dtypes of its output, which its trace finds."""
    arguments, outputs = (init, _map(_slice_spec, xs)), []

    def flat_step(*leaves):
        carry, y = step(*_rebuild(arguments, leaves))
        outputs.append(_map(lambda x: tf.TensorSpec(x.shape, x.dtype), y))
        return _leaves((carry, y))

    flat_step = recomputed(flat_step, _leaves(arguments))
    return lambda carry, x: _rebuild((init, outputs[0]), flat_step(*_leaves((carry, x)))), outputs[0]


def _checked(function, init):
    """Step that raises an error if the carry changes its structure, shapes or dtypes."""

    def step(carry, x):
        new, y = function(carry, x)
        tf.nest.assert_same_structure(init, new)
        new = tf.nest.map_structure(keras.ops.convert_to_tensor, new)
        for old_leaf, new_leaf in zip(tf.nest.flatten(init), tf.nest.flatten(new), strict=True):
            if old_leaf.dtype != new_leaf.dtype or not old_leaf.shape.is_compatible_with(new_leaf.shape):
                raise TypeError(
                    "The carry of a scan keeps its shapes and dtypes. It began with "
                    f"{old_leaf.dtype.name}{old_leaf.shape}, and a step returned {new_leaf.dtype.name}{new_leaf.shape}."
                )
        return new, _map(keras.ops.convert_to_tensor, y)

    return step


def _steps(xs, length):
    """Number of steps, a Python integer if it is known."""
    leaves = _leaves(xs)
    if not leaves:
        return length
    static = leaves[0].shape[0]
    if length is not None and static is not None and length != static:
        raise ValueError(f"scan received xs with {static} steps, and length={length}.")
    return tf.shape(leaves[0])[0] if static is None else static


def _at(xs, index):
    return _map(lambda leaf: tf.gather(leaf, index), xs)


def _output_spec(step, init, xs):
    """Shapes and dtypes of the output of a step, from a trace that is discarded."""
    with new_graph("scan_output").as_default():
        _, y = step(*_map(lambda x: tf.compat.v1.placeholder(x.dtype, x.shape), (init, _map(_slice_spec, xs))))
    return _map(lambda x: tf.TensorSpec(x.shape, x.dtype), y)


def _slice_spec(x):
    return tf.TensorSpec(x.shape[1:], x.dtype)


def _leaves(nest):
    return [leaf for leaf in tf.nest.flatten(nest) if leaf is not None]


def _rebuild(structure, leaves):
    """Inverse of `_leaves`, with None where `structure` has None."""
    leaves = iter(leaves)
    return _map(lambda _: next(leaves), structure)


def _map(function, *nests):
    """Result of `tf.nest.map_structure` that keeps None."""
    return tf.nest.map_structure(lambda *leaves: None if leaves[0] is None else function(*leaves), *nests)
