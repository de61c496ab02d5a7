"""A loop with a carry on TensorFlow: eager, in a graph, and with steps computed anew in reverse."""

import keras
import tensorflow as tf

from .tensorflow_arrays import arrays
from .tensorflow_recompute import recomputed


def scan(function, init, xs=None, length=None, checkpoint=False):
    """Repeat a step a fixed number of times; can be differentiated in reverse.

    Args:
        function: Maps `(carry, x)` to `(carry, y)`. The carry keeps its structure,
            shapes and dtypes; `y` may be None.
        init: Carry before the first step.
        xs: Array or nest of arrays whose leading axis is the steps, or None.
        length: Number of steps; needed if `xs` is None.
        checkpoint: Whether a reverse pass computes the inside of each step anew
            from its carry instead of storing it: the memory of one step and of
            `length` carries, for one more evaluation of `function`.

    Returns:
        `(carry, ys)`: the carry after the last step, and the outputs stacked
        along a leading axis.

    Raises:
        TypeError: If the carry changes its shape or dtype.
        ValueError: If neither `xs` nor `length` is given.
        NotImplementedError: On TensorFlow, if a step to be checkpointed uses
            variables in another way than by their values.

    TensorFlow without `jit` runs a Python loop, or with `checkpoint` traces the
    step at each call; with `jit` it cannot differentiate the loop four times.
    """
    if xs is None and length is None:
        raise ValueError("scan needs xs or length to know the number of steps. Received xs=None and length=None.")
    init, xs = arrays(init), arrays(xs)
    if tf.executing_eagerly() and not checkpoint:
        return _scan_loop(function, init, xs, length)
    if tf.executing_eagerly():
        return tf.function(lambda init, xs: _scan_graph(function, init, xs, length, True), autograph=False)(init, xs)
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
    outputs = _output_spec(step, init, xs)
    if checkpoint:
        step = _recomputed(step, init, xs, outputs)
    stacks = [tf.TensorArray(spec.dtype, size=length, element_shape=spec.shape) for spec in _leaves(outputs)]

    def body(index, carry, stacks):
        carry, y = step(carry, _at(xs, index))
        return index + 1, carry, [stack.write(index, leaf) for stack, leaf in zip(stacks, _leaves(y), strict=True)]

    _, carry, stacks = tf.while_loop(lambda index, *_: index < length, body, (0, init, stacks), maximum_iterations=length)
    return carry, _rebuild(outputs, [stack.stack() for stack in stacks])


def _recomputed(step, init, xs, outputs):
    """The step between lists of tensors and back, since `recomputed` knows only those."""
    arguments = (init, _map(_slice_spec, xs))
    flat_step = recomputed(lambda *leaves: _leaves(step(*_rebuild(arguments, leaves))), _leaves(arguments))
    return lambda carry, x: _rebuild((init, outputs), flat_step(*_leaves((carry, x))))


def _checked(function, init):
    """The step, with an error where the carry changes its type."""

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
    """Number of steps, a Python integer where it is known."""
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
    """Shapes and dtypes of the output of a step, from a trace that is thrown away."""
    with tf.__internal__.FuncGraph("scan_output").as_default():
        _, y = step(*_map(lambda x: tf.compat.v1.placeholder(x.dtype, x.shape), (init, _map(_slice_spec, xs))))
    return _map(lambda x: tf.TensorSpec(x.shape, x.dtype), y)


def _slice_spec(x):
    return tf.TensorSpec(x.shape[1:], x.dtype)


def _leaves(nest):
    return [leaf for leaf in tf.nest.flatten(nest) if leaf is not None]


def _rebuild(structure, leaves):
    """The inverse of `_leaves`, with None where `structure` has None."""
    leaves = iter(leaves)
    return _map(lambda _: next(leaves), structure)


def _map(function, *nests):
    """`tf.nest.map_structure` that leaves None alone."""
    return tf.nest.map_structure(lambda *leaves: None if leaves[0] is None else function(*leaves), *nests)
