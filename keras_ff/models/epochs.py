"""A callback that tells the data which epoch begins."""

from __future__ import annotations

import keras


class SetEpoch(keras.callbacks.Callback):
    """Callback that sets the epoch of the data, from which the order of the batches follows.

    A resumed run then sees the batches that the uninterrupted run would have
    seen. `ForceField.fit` adds this callback itself. Elsewhere pass `shuffle=False`
    too: by default Keras shuffles the batches of a `PyDataset` once more, with the
    global random numbers of Python.

    Args:
        data: Object with an attribute `epoch`, such as `keras_ff.data.Dataset`.

    Raises:
        TypeError: If the data has no attribute `epoch`.

    Example:
        >>> from types import SimpleNamespace
        >>> from keras_ff.models.epochs import SetEpoch
        >>> data = SimpleNamespace(epoch=0)
        >>> SetEpoch(data).on_epoch_begin(3)
        >>> data.epoch
        3
    """

    def __init__(self, data):
        super().__init__()
        if not hasattr(data, "epoch"):
            raise TypeError(f"SetEpoch takes data with an attribute `epoch`. Received {type(data).__name__}.")
        self.data = data

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the `epoch` of the data."""
        self.data.epoch = epoch
