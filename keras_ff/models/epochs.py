"""Which epoch the data is in."""

import keras


class SetEpoch(keras.callbacks.Callback):
    """Tell the data which epoch begins, so that the order of batches follows from it.

    A resumed run then sees the batches that the uninterrupted run would have
    seen. `ForceField.fit` adds this callback itself. Elsewhere pass `shuffle=False`
    too: by default Keras shuffles the batches of a `PyDataset` once more, with the
    global random numbers of Python.

    Args:
        data: Anything with an attribute `epoch`, such as `keras_ff.data.Dataset`.
    """

    def __init__(self, data):
        super().__init__()
        if not hasattr(data, "epoch"):
            raise TypeError(f"SetEpoch takes data with an attribute `epoch`. Received {type(data).__name__}.")
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.epoch = epoch
