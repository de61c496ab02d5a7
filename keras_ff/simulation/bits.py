"""Bits of uint32 words, as tensors."""

from __future__ import annotations

from typing import Any

from keras import ops


def word(number: int) -> Any:
    """A number as a uint32 tensor.

    Args:
        number: From 0 to 2**32 - 1.
    """
    return ops.convert_to_tensor(number, dtype="uint32")


def right(words: Any, bits: int) -> Any:
    """Words without their last bits.

    Args:
        words: uint32 tensor.
        bits: Number of bits.
    """
    return ops.bitwise_right_shift(words, word(bits))


def ones(words: Any) -> Any:
    """Number of bits that are 1, int32.

    Args:
        words: uint32 tensor.

    Example:
        >>> [int(ones(word(number))) for number in (0, 5, 2**32 - 1)]
        [0, 2, 32]
    """
    pairs = words - ops.bitwise_and(right(words, 1), word(0x55555555))
    fours = ops.bitwise_and(pairs, word(0x33333333)) + ops.bitwise_and(right(pairs, 2), word(0x33333333))
    eights = ops.bitwise_and(fours + right(fours, 4), word(0x0F0F0F0F))
    return ops.cast(right(eights * word(0x01010101), 24), "int32")


def place_of_one(words: Any, number: Any) -> Any:
    """Place of a bit that is 1, counted from the last bit of its word, int32.

    Args:
        words: uint32 tensor.
        number: int32 tensor, the number of bits that are 1 after it; less than those of the word.

    Example:
        >>> int(place_of_one(word(0b100100), ops.convert_to_tensor(1)))
        5
    """
    place = ops.zeros_like(number)
    for width in (16, 8, 4, 2, 1):
        low = ops.bitwise_and(words, word((1 << width) - 1))
        count = ones(low)
        above = number >= count
        words = ops.where(above, right(words, width), low)
        number, place = ops.where(above, number - count, number), ops.where(above, place + width, place)
    return place
