"""Loops and conditional functions that can be differentiated."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_ff.backend.active import twin


def cond(predicate: Any, true_function: Callable, false_function: Callable, *args: Any) -> Any:
    """Result of one of two functions of the same arguments.

    On JAX only the chosen function is computed, and a reverse pass computes its
    intermediate values again instead of storing them. On TensorFlow, and under
    `vmap` over the predicate, both functions are computed.

    Args:
        predicate: Boolean scalar.
        true_function: Maps arrays or nests of arrays of floating dtype to
            outputs. As in `custom_gradient`, what is differentiated with respect
            to must be an argument. Integers and booleans that do not depend on
            the arguments may be captured.
        false_function: Function of the same arguments, whose outputs have the
            same structure, shapes and dtypes.
        *args: Arguments of the two functions.

    Returns:
        Outputs of `true_function` where the predicate is true, else those of
        `false_function`.

    Example:
        >>> float(cond(keras.ops.array(True), lambda x: 2.0 * x, lambda x: -x, keras.ops.array(3.0)))
        6.0
    """
    return twin.cond(predicate, true_function, false_function, *args)


def scan(function: Callable, init: Any, xs: Any = None, length: int | None = None, checkpoint: bool = False) -> tuple[Any, Any]:
    """Loop with a fixed number of steps that reverse mode can differentiate.

    TensorFlow without `jit` runs a Python loop, which stores everything, and with
    `jit` it cannot differentiate the loop four times. Leave plain `tf.function`
    out: TensorFlow 2.21 then returns empty arrays for a loop that computes forces.

    Args:
        function: Maps `(carry, x)` to `(carry, y)`. The carry keeps its structure,
            shapes and dtypes; `y` may be None.
        init: Carry before the first step.
        xs: Array or nest of arrays whose leading axis is the steps, or None.
        length: Number of steps; needed if `xs` is None.
        checkpoint: Whether a reverse pass computes the intermediate values of each
            step again from its carry instead of storing them. This takes the
            memory of one step and of `length` carries, and one more evaluation
            of `function` for each step.

    Returns:
        `(carry, ys)`: the carry after the last step, and the outputs stacked
        along a leading axis.

    Raises:
        TypeError: If the carry changes its shape or dtype.
        ValueError: If neither `xs` nor `length` is given.
        NotImplementedError: On TensorFlow, if a step to be checkpointed uses
            variables in another way than by their values.

    Example:
        >>> carry, sums = scan(lambda carry, x: (carry + x, carry + x), 0.0, keras.ops.array([1.0, 2.0, 3.0]))
        >>> keras.ops.convert_to_numpy(sums).tolist()
        [1.0, 3.0, 6.0]
    """
    if xs is None and length is None:
        raise ValueError("scan needs xs or length to know the number of steps. Received xs=None and length=None.")
    return twin.scan(function, init, xs, length, checkpoint)


def map_rows(function: Callable, arrays: Sequence[Any], padding: Sequence[Any], most: int) -> Any:
    """Results of a function of rows of arrays, computed for a bounded number of rows at a time, in bounded memory.

    Args:
        function: Takes some rows of each array, and returns an array or a nest of arrays with these rows.
        arrays: Arrays with the same number of rows, which is known.
        padding: What fills up the last rows of each array; results there do not count.
        most: Most rows that are computed together. Pieces have the same number of rows.

    Returns:
        Result of `function` for all rows.

    Example:
        >>> squares = map_rows(lambda x: x * x, [keras.ops.array([1.0, 2.0, 3.0])], [0.0], most=2)
        >>> keras.ops.convert_to_numpy(squares).tolist()
        [1.0, 4.0, 9.0]
    """
    total = arrays[0].shape[0]
    pieces = -(-total // most)
    if pieces <= 1:
        return function(*arrays)
    rows = -(-total // pieces)

    def cut(x, fill):
        x = keras.ops.pad(x, [(0, pieces * rows - total)] + [(0, 0)] * (x.ndim - 1), constant_values=fill)
        return keras.ops.reshape(x, (pieces, rows, *x.shape[1:]))

    _, results = scan(lambda _, some: ((), function(*some)), (), [cut(x, fill) for x, fill in zip(arrays, padding, strict=True)])
    return keras.tree.map_structure(lambda x: keras.ops.reshape(x, (-1, *x.shape[2:]))[:total], results)
