"""A callback that keeps the best model of a training run."""

import math
import warnings
from pathlib import Path

import keras

from keras_ff.files import replace_when_complete
from keras_ff.training.callbacks import averaged_weights


class BestModel(keras.callbacks.Callback):
    """Callback that saves the model, as one complete `.keras` file, each time a logged number improves.

    If the optimizer averages the weights, their average is saved; validate the
    same with `EvaluateAverage`.

        model.fit(data, validation_data=validation, callbacks=[BestModel("best.keras", "val_forces_mae")])

    Args:
        path: Path of the file, which ends with ".keras".
        monitor: Name in the logs, such as "val_loss" or "val_forces_mae".
        mode: "min" if a smaller number is better, "max" if a larger one is.

    Attributes:
        best: Best value so far; None before the first epoch.
        best_epoch: Epoch of the best value, counted from 1.

    Raises:
        ValueError: If `path` or `mode` is not as described or, at the end of an
            epoch, if `monitor` is not among the logs.
    """

    # keras.callbacks.ModelCheckpoint writes into the file in place, and cannot tell that a metric of one of
    # several outputs is to be minimized: it compares "forces_mae" with the name "mae".

    def __init__(self, path, monitor="val_loss", mode="min"):
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise ValueError(f'Expected the name of a model file to end with ".keras". Received path={str(path)!r}.')
        if mode not in ("min", "max"):
            raise ValueError(f'Expected mode to be "min" or "max". Received mode={mode!r}.')
        self.monitor = monitor
        self.mode = mode
        self.best = None
        self.best_epoch = None

    def get_state(self):
        """Return the best value and its epoch, for `RunState`."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def set_state(self, state):
        """Take over what `get_state` returned; a best model whose file is missing is forgotten with a warning."""
        if state["best"] is not None and not self.path.exists():
            warnings.warn(f"The best model so far, {self.path}, is missing; the next epoch is taken for it.", stacklevel=2)
            return
        self.best, self.best_epoch = state["best"], state["best_epoch"]

    def on_train_begin(self, logs=None):
        """Forget the best value of an earlier training."""
        self.best = self.best_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        """Save the model if the monitored number has improved."""
        logs = logs or {}
        validated = any(name.startswith("val_") for name in logs)
        if self.monitor.startswith("val_") and not validated and self.params["epochs"] > epoch + 1:
            return  # `validation_freq` leaves epochs out.
        if self.monitor not in logs:
            without = "" if validated else " Pass validation_data to `fit` for names that begin with val_."
            raise ValueError(f"BestModel watches {self.monitor!r}. Logged are: {sorted(logs)}.{without}")
        value = logs[self.monitor]
        sign = 1 if self.mode == "min" else -1
        if math.isfinite(value) and (self.best is None or sign * value < sign * self.best):
            with averaged_weights(self.model):
                save_model(self.model, self.path)
            self.best, self.best_epoch = value, epoch + 1


def save_model(model, path):
    """Save a model so that the file is complete or as before, whenever the process is killed.

    `model.save` writes into its target in place (keras/src/saving/saving_lib.py):
    killed meanwhile, it has destroyed the model that was there before.

        save_model(model, "run/last.keras")

    Args:
        model: Keras model that is built.
        path: Path of the file, which ends with ".keras".

    Raises:
        ValueError: If `path` does not end with ".keras".
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f'Expected the name of a model file to end with ".keras". Received path={str(path)!r}.')
    with replace_when_complete(path) as part:
        model.save(part)
