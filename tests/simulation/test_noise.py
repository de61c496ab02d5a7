"""Random numbers of simulations."""

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.simulation.noise import key, normal, normals, threefry


def test_words_are_those_of_the_published_generator():
    """Known answers of the authors, key and counter of zeros, of ones, and of the digits of pi."""
    cases = {
        (0, 0, 0, 0): (0x6B200159, 0x99BA4EFE),
        (2**32 - 1,) * 4: (0x1CB996FC, 0xBB002BE7),
        (0x13198A2E, 0x03707344, 0x243F6A88, 0x85A308D3): (0xC4923A9C, 0x483DF7A0),
    }
    for words, expected in cases.items():
        a, b, c, d = (ops.convert_to_tensor(np.array([word], "uint32")) for word in words)
        assert tuple(int(word[0]) for word in threefry((a, b), (c, d))) == expected


def test_numbers_are_normal_and_those_of_steps_and_seeds_differ(float64):
    draw = backend.jit(lambda seed, step: normal(seed, step, (50_000, 3), "float64"))
    drawn = {(seed, step): np.asarray(draw(key(seed), np.int32(step))) for seed in (0, 7) for step in (0, 1)}
    for numbers in drawn.values():
        # Five standard errors of 150,000 numbers.
        assert abs(numbers.mean()) < 0.013 and abs(numbers.var() - 1.0) < 0.019
        assert abs((numbers**4).mean() - 3.0) < 0.13 and abs(np.corrcoef(numbers.T) - np.eye(3)).max() < 0.023
    values = np.array([numbers.ravel() for numbers in drawn.values()])
    assert abs(np.corrcoef(values) - np.eye(4)).max() < 0.013
    np.testing.assert_array_equal(np.asarray(normals(7, 2, 50_000, "float64"))[1], drawn[7, 1])
    single = np.asarray(backend.jit(lambda: normal(key(7), np.int32(1), (50_000, 3), "float32"))())
    np.testing.assert_allclose(single, drawn[7, 1], rtol=0, atol=2e-3)
    assert np.median(abs(single - drawn[7, 1])) < 1e-6


def test_numbers_are_the_same_on_both_backends(float64):
    """Stored numbers of one backend; seeds of any size count by their last 32 bits."""
    numbers = np.asarray(normals(2**40 + 3, 2, 1, "float64"))
    np.testing.assert_allclose(numbers, normals(3, 2, 1, "float64"))
    np.testing.assert_allclose(numbers, STORED, rtol=1e-12)


STORED = [
    [[1.7604429021679877, 0.6201563246264117, -0.531930463900335]],
    [[0.10750400448153456, 0.11381370417447412, -1.9795458052572177]],
]
