"""What takes the time of the first epoch: the compilation of each shape of batch."""

import time

import keras

import keras_ff as kff
from keras_ff_tools.run.files import several


class Compilations(keras.callbacks.Callback):
    """Callback that says when a shape of batches is seen for the first time, which is compiled then, and how long it took.

    Args:
        data: The training set.
    """

    def __init__(self, data: kff.data.Dataset):
        super().__init__()
        self.data, self.seconds = data, {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forget the shapes of an earlier training."""
        self.seconds = {}

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Name a new shape."""
        shape = self.data.shape(batch)
        self._now = None if shape in self.seconds else shape
        if self._now:
            self._began = time.monotonic()
            structures, atoms, neighbors = shape
            print(
                f"compiling shape {len(self.seconds) + 1} of {len(self.data.shapes)}: {several(structures, 'structure')}, up to "
                f"{several(atoms, 'atom')} with {several(neighbors, 'neighbor')} ...",
                end="",
                flush=True,
            )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Tell the time of a new shape."""
        if self._now:
            self.seconds[self._now] = time.monotonic() - self._began
            print(f" {self.seconds[self._now]:.0f} s", flush=True)
