"""Distribution of the structures of a batch over several devices and processes."""

from contextlib import AbstractContextManager
from typing import Any

from keras_ff.backend.active import twin


def data_parallel(devices: int | None = None) -> AbstractContextManager:
    """Context in which new models divide their batches among devices; see `keras_ff.training.data_parallel`.

    Args:
        devices: Number of devices, GPUs, or CPUs if there are no GPUs; all by default.

    Returns:
        Context manager.

    Raises:
        ValueError: If there are fewer devices.
    """
    return twin.data_parallel(devices)


def replicas() -> int:
    """Number of devices among which the structures of a batch are divided: 1 outside of `data_parallel`.

    Example:
        >>> replicas()
        1
    """
    return twin.replicas()


def process() -> tuple[int, int]:
    """Rank of this process, from 0, and number of processes that a batch is divided among.

    Example:
        >>> process()
        (0, 1)
    """
    return twin.process()


def mean_over_replicas(x: Any) -> Any:
    """Mean of a tensor over the devices, each of which computes a share of a batch.

    Args:
        x: Tensor.

    Returns:
        On TensorFlow the mean over the devices; on JAX `x`, since there a batch is one array on all devices.
    """
    return twin.mean_over_replicas(x)
