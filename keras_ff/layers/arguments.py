"""Checks of the numbers that constructors take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def whole(name: str, value: Any, least: int, most: float = math.inf) -> int:
    """The value of an argument as an int.

    Args:
        name: Name of the argument, for the error.
        value: What was given.
        least: Smallest value that is allowed.
        most: Largest value that is allowed.

    Raises:
        ValueError: If it is no whole number in the range.

    Example:
        >>> from keras_ff.layers.arguments import whole
        >>> whole("knots", 12.0, least=2)
        12
    """
    number = _number(value)
    if not (least <= number <= most and number == int(number)):
        limit = f"{least} or more" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} is a whole number, {limit}. Received {name}={value!r}.")
    return int(number)


def real(name: str, value: Any, least: float = 0.0, above: float = -math.inf) -> float:
    """The value of an argument as a finite float.

    Args:
        name: Name of the argument, for the error.
        value: What was given.
        least: Smallest value that is allowed.
        above: Number that the value must exceed.

    Raises:
        ValueError: If it is no finite number in the range.

    Example:
        >>> from keras_ff.layers.arguments import real
        >>> real("roughness", 0, least=0.0)
        0.0
    """
    number = _number(value)
    if not (number >= least and above < number < math.inf):
        limit = f"above {above:g}" if above >= least else f"{least:g} or more"
        raise ValueError(f"{name} is a finite number, {limit}. Received {name}={value!r}.")
    return number


def _number(value):
    """A float; NaN for what is no number."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "iuf" else math.nan
