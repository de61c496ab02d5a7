"""Pairs of neighbors, and sums over the neighbors of an inner sphere at the cost of that sphere."""

import math
from numbers import Integral

import numpy as np
from keras import ops

from keras_ff import backend


def neighbor_pairs(columns, ordered=False):
    """All pairs of different neighbors (j, k), j by j: with j < k, or in both orders.

    Args:
        columns: Number of neighbors: an int, or a symbol or tensor where one function is traced for batches of several shapes.
        ordered: Whether (j, k) and (k, j) are two pairs.

    Returns:
        Tuple of the places j, the places k, and None; for another all places, and a boolean array that says which are pairs.
    """
    if isinstance(columns, Integral):
        return *(np.nonzero(~np.eye(columns, dtype=bool)) if ordered else np.triu_indices(columns, 1)), None
    places = ops.arange(columns * columns)
    first, second = places // columns, places % columns
    return first, second, ops.not_equal(first, second) if ordered else first < second


def only_pairs(values, is_pair):
    """Zeros where there is no pair: `(atoms, places)`, or `(atoms, places, channels)`, and what `neighbor_pairs` returned last."""
    if is_pair is None:
        return values
    keep = ops.cast(is_pair, values.dtype)
    return values * (keep if len(values.shape) == 2 else keep[:, None])


def inner_columns(neighbors, inner, outer):
    """How many of so many neighbors within the radius `outer` are within `inner` at even density."""
    return math.ceil(neighbors * (inner / outer) ** 3) if isinstance(neighbors, Integral) and neighbors > 4 else neighbors


def over_inner(function, rows, inside, columns, *args):
    """`function(rows, *args)` with the neighbors that count moved to the first columns, and only these.

    The result does not depend on `columns`: if an atom has more inner neighbors, the function gets all.

    Args:
        function: From rows `(atoms, any number of neighbors, ...)`, in which a neighbor of zeros does not count, to `(atoms, ...)`.
        rows: `(atoms, neighbors, channels)`, zero for neighbors outside.
        inside: Boolean `(atoms, neighbors)`: which neighbors count.
        columns: How many columns are enough in most cases.
        args: What the function is differentiated by beside the rows: arrays, or nests of them.
    """
    total = rows.shape[1]
    # On TensorFlow both branches of `cond` would be computed; what is exported is for any number of neighbors.
    if not isinstance(total, Integral) or columns >= total or backend.backend_name() == "tensorflow":
        return function(rows, *args)
    so_far = ops.cumsum(ops.cast(inside, "int32"), axis=1)
    order = ops.sum(ops.cast(so_far[:, None, :] <= ops.arange(columns, dtype="int32")[:, None], "int32"), axis=-1)
    is_filled = ops.cast(order < total, rows.dtype)[..., None]
    order = ops.minimum(order, total - 1)[..., None]

    def of_first(rows, *args):
        return function(ops.take_along_axis(rows, order, axis=1) * is_filled, *args)

    return backend.cond(ops.any(so_far[:, -1] > columns), function, of_first, rows, *args)
