"""Normally distributed numbers made by compiled code, the same on both backends, in float32 and float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.simulation.bits import right, word

# Rotations of the generator, and the constant that completes its key.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def threefry(key: tuple, counter: tuple) -> tuple:
    """Two uniform random words for each counter, by the generator Threefry-2x32 with 20 rounds.

    Args:
        key: Two uint32 tensors.
        counter: Two uint32 tensors of the same shape.

    Returns:
        Tuple of two uint32 tensors of that shape.

    Example:
        >>> from keras import ops
        >>> zero = ops.zeros(1, "uint32")
        >>> [hex(int(word[0])) for word in threefry((zero, zero), (zero, zero))]
        ['0x6b200159', '0x99ba4efe']

    Reference:
        Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC11 (2011).
    """
    words = [*key, ops.bitwise_xor(ops.bitwise_xor(key[0], key[1]), word(PARITY))]
    a, b = counter[0] + words[0], counter[1] + words[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            a = a + b
            left = ops.bitwise_left_shift(b, word(rotation))
            b = ops.bitwise_xor(ops.bitwise_or(left, right(b, 32 - rotation)), a)
        a = a + words[(group + 1) % 3]
        b = b + words[(group + 2) % 3] + word(group + 1)
    return a, b


def normal(seed: Any, step: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Normally distributed random numbers of a step of a simulation.

    Args:
        seed: Tensor, a whole number.
        step: Tensor, a whole number; each has numbers of its own.
        shape: Shape of the result.
        dtype: Dtype of the result.

    Returns:
        Tensor of that shape, of mean 0 and variance 1.
    """
    total = math.prod(shape)
    if not total:
        return ops.zeros(shape, dtype)
    half = (total + 1) // 2
    counter = ops.cast(ops.arange(half, dtype="int32"), "uint32")
    key = ops.cast(seed, "uint32") + ops.zeros_like(counter), ops.cast(step, "uint32") + ops.zeros_like(counter)
    first, second = (_uniform(word, dtype) for word in threefry(key, (counter, ops.zeros_like(counter))))
    # Two numbers from each two, by Box and Muller.
    radius, angle = ops.sqrt(-2.0 * ops.log(first)), (2.0 * math.pi) * second
    numbers = ops.concatenate([radius * ops.cos(angle), radius * ops.sin(angle)])
    return ops.reshape(numbers[:total], shape)


def normals(seed: int, steps: int, rows: int, dtype: str) -> Any:
    """Numbers of `normal` for some steps, from the first on.

    Args:
        seed: Any whole number.
        steps: Number of steps.
        rows: Number of rows of three numbers that a step needs.
        dtype: Dtype of the result.

    Returns:
        Tensor (steps, rows, 3).
    """
    draw = backend.jit(
        lambda numbers: backend.scan(lambda _, step: ((), normal(key(seed), step, (rows, 3), dtype)), (), numbers)[1]
    )
    return draw(np.arange(steps, dtype="int32"))


def key(seed: int) -> np.uint32:
    """The part of a seed that counts: its last 32 bits.

    Args:
        seed: Any whole number.
    """
    return np.uint32(int(seed) % 2**32)


def _uniform(words, dtype):
    """Numbers between 0 and 1 from random words; never 0."""
    return (ops.cast(words, dtype) + 0.5) * (1.0 / 2**32)
