"""Pairs of neighbors, for a number of neighbors that is known and for one that is not."""

import numpy as np
import pytest
from keras import ops

from keras_ff.layers.inner_neighbors import inner_columns, neighbor_pairs, only_pairs


@pytest.mark.parametrize("ordered", [False, True])
def test_pairs_are_the_same_whether_the_number_is_known_or_a_tensor(ordered):
    first, second, none = neighbor_pairs(4, ordered)
    known = list(zip(first.tolist(), second.tolist()))
    assert none is None and known == [(j, k) for j in range(4) for k in range(4) if (j != k if ordered else j < k)]
    first, second, is_pair = (ops.convert_to_numpy(x) for x in neighbor_pairs(ops.convert_to_tensor(4), ordered))
    assert [(j, k) for j, k, pair in zip(first.tolist(), second.tolist(), is_pair) if pair] == known


def test_what_is_no_pair_becomes_zero():
    keep = ops.convert_to_tensor([True, False, True])
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    assert only_pairs(values, None) is values
    found = only_pairs(ops.convert_to_tensor(values), keep)
    assert ops.convert_to_numpy(found).tolist() == [[1.0, 0.0, 3.0], [4.0, 0.0, 6.0]]
    channels = only_pairs(ops.convert_to_tensor(values[..., None] * np.array([1.0, 2.0], "float32")), keep)
    assert ops.convert_to_numpy(channels)[1].tolist() == [[4.0, 8.0], [0.0, 0.0], [6.0, 12.0]]


def test_inner_neighbors_go_with_the_volume_and_few_are_all_taken():
    assert inner_columns(80, 2.0, 4.0) == 10 and inner_columns(81, 2.0, 4.0) == 11
    assert inner_columns(4, 1.0, 4.0) == 4 and inner_columns("N", 1.0, 4.0) == "N"
