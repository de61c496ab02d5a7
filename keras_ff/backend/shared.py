"""Helpers that the interface and both backends share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def wraps(function: Callable) -> Callable:
    """Decorator like `functools.wraps` that does not copy attributes, since a function may be a Keras layer.

    Args:
        function: Function whose name and docstring the decorated function gets.

    Returns:
        The decorator.
    """
    return functools.wraps(function, updated=())


def some_of(devices: Sequence[Any], count: int | None) -> Sequence[Any]:
    """First devices of a list.

    Args:
        devices: The devices.
        count: Number of devices to use, or None for all.

    Returns:
        List of the devices.

    Raises:
        ValueError: If there are fewer devices, or `count` is less than 1.
    """
    count = len(devices) if count is None else count
    if not 1 <= count <= len(devices):
        raise ValueError(
            f"Received devices={count}, and there are {len(devices)}: {devices}. Name at most these, or leave `devices` out."
        )
    return devices[:count]
