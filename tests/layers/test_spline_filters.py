"""Filters that cannot be."""

import pytest

from keras_ff.layers import SplineFilters

pytestmark = pytest.mark.usefixtures("float64")


def test_what_cannot_be():
    with pytest.raises(ValueError, match="shortest < triplet_cutoff <= cutoff.*triplet_cutoff=6"):
        SplineFilters(5.0, triplet_cutoff=6.0)
    with pytest.raises(ValueError, match=r"triplets=\(3, 5\) needs polynomials up to degree 4. Received degree=3"):
        SplineFilters(5.0, triplets=(3, 5), degree=3)
    with pytest.raises(ValueError, match="There must be a filter"):
        SplineFilters(5.0, pairs=0, triplets=(0, 0))
