"""Checks of the numbers that constructors and functions take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def whole(name: str, value: Any, least: int) -> int:
    """The value of an argument as an int, after a check that it is whole and large enough.

    Args:
        name: Name of the argument, for the error.
        value: What was given.
        least: Smallest value that is allowed.

    Raises:
        ValueError: If it is no whole number, or smaller.

    Example:
        >>> from keras_ff.arguments import whole
        >>> whole("knots", 12.0, least=2)
        12
    """
    number = _number(value)
    if not (least <= number < math.inf and number == int(number)):
        raise ValueError(f"{name} is a whole number, at least {least}. Received {name}={value!r}.")
    return int(number)


def positive(name: str, value: Any, unit: str = "") -> float:
    """The value of an argument as a float, after a check that it is positive and finite.

    Args:
        name: Name of the argument, for the error.
        value: What was given.
        unit: Unit of the number, for the error; none by default.

    Raises:
        ValueError: If it is no positive, finite number.

    Example:
        >>> from keras_ff.arguments import positive
        >>> positive("temperature", 300, "K")
        300.0
    """
    number = _number(value)
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} is a positive number{unit and f', in {unit}'}. Received {name}={value!r}.")
    return number


def not_negative(name: str, value: Any) -> float:
    """The value of an argument as a float, after a check that it is 0 or more and finite.

    Args:
        name: Name of the argument, for the error.
        value: What was given.

    Raises:
        ValueError: If it is no such number.
    """
    number = _number(value)
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} is a finite number, 0 or more. Received {name}={value!r}.")
    return number


def _number(value):
    """A float; NaN for what is no number."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "iuf" else math.nan
