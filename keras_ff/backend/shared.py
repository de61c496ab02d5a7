"""What the interface and both backends share."""

import functools


def wraps(function):
    """`functools.wraps` that leaves the attributes alone, since a function may be a Keras layer."""
    return functools.wraps(function, updated=())


def some_of(devices, count):
    """The first devices of a list, all if `count` is None.

    Raises:
        ValueError: If there are fewer, or none is wanted.
    """
    count = len(devices) if count is None else count
    if not 1 <= count <= len(devices):
        raise ValueError(
            f"Received devices={count}, and there are {len(devices)}: {devices}. Name at most these, or leave `devices` out."
        )
    return devices[:count]
