"""Bits of words, beside those that Python writes."""

import numpy as np

from keras_ff import backend
from keras_ff.simulation.bits import ones, place_of_one


def test_bits_are_those_that_python_writes():
    words = np.append(np.random.default_rng(0).integers(2**32, size=60), [0, 1, 2**31, 2**32 - 1]).astype("uint32")
    places = [[place for place in range(32) if int(word) >> place & 1] for word in words]
    np.testing.assert_array_equal(backend.jit(ones)(words), [len(some) for some in places])
    each = [(word, number, place) for word, some in zip(words, places, strict=True) for number, place in enumerate(some)]
    found = backend.jit(place_of_one)(np.array([word for word, _, _ in each]), np.array([number for _, number, _ in each], "int32"))
    np.testing.assert_array_equal(found, [place for _, _, place in each])
