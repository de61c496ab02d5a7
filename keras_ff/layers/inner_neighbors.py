"""Pairs of neighbors, and sums over the neighbors of an inner sphere at the cost of that sphere."""

from __future__ import annotations

import math
from numbers import Integral

import numpy as np
from keras import ops

from keras_ff import backend


def neighbor_pairs(columns, ordered: bool = False) -> tuple:
    """Indices of all pairs of different neighbors (j, k), sorted by j: with j < k, or in both orders.

    Args:
        columns: Number of neighbors: an int, or a symbol or tensor where one function is traced for batches of several shapes.
        ordered: Whether (j, k) and (k, j) are two pairs.

    Returns:
        Tuple of the indices j, the indices k, and None. If the number of neighbors is no int, the indices are those of all
        (j, k), and the third is a boolean array that says which of these are pairs.

    Example:
        >>> from keras_ff.layers.inner_neighbors import neighbor_pairs
        >>> [indices.tolist() for indices in neighbor_pairs(3)[:2]]
        [[0, 0, 1], [1, 2, 2]]
    """
    if isinstance(columns, Integral):
        return *(np.nonzero(~np.eye(columns, dtype=bool)) if ordered else np.triu_indices(columns, 1)), None
    indices = ops.arange(columns * columns)
    first, second = indices // columns, indices % columns
    return first, second, ops.not_equal(first, second) if ordered else first < second


def only_pairs(values, is_pair):
    """Values of pairs of neighbors, with zeros where there is no pair.

    Args:
        values: `(atoms, pairs)`, or `(atoms, pairs, channels)`.
        is_pair: Boolean `(pairs,)`, or None if all are pairs: what `neighbor_pairs` returned last.

    Returns:
        Tensor in the shape of `values`.
    """
    if is_pair is None:
        return values
    keep = ops.cast(is_pair, values.dtype)
    return values * (keep if len(values.shape) == 2 else keep[:, None])


def inner_columns(neighbors, inner: float, outer: float):
    """Number of neighbors within an inner radius, estimated from that within an outer radius at even density.

    Args:
        neighbors: Number of neighbors within `outer`; one that is no int, and one up to 4, is returned as it is.
        inner: Radius in Å.
        outer: Larger radius in Å.
    """
    return math.ceil(neighbors * (inner / outer) ** 3) if isinstance(neighbors, Integral) and neighbors > 4 else neighbors


def over_inner(function, rows, inside, columns, *args):
    """Result of a function of neighbors, `function(rows, *args)`, computed from the few neighbors that count.

    The neighbors that count are moved to the front, and the function gets only the first `columns` of them. The result does not
    depend on `columns`: if an atom has more neighbors that count, the function gets all.

    Args:
        function: From rows `(atoms, any number of neighbors, channels)`, in which a neighbor of zeros does not count, to
            `(atoms, ...)`.
        rows: `(atoms, neighbors, channels)`, zero for neighbors that do not count.
        inside: Boolean `(atoms, neighbors)`: which neighbors count.
        columns: Number of neighbors that is enough in most cases.
        args: Arrays, or nests of them, with respect to which the function is differentiated beside the rows.

    Returns:
        Tensor `(atoms, ...)`.
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
