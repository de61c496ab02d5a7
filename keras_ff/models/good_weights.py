"""A callback that keeps good weights, in case that the loss becomes NaN."""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from keras_ff.data.dataset import Dataset
from keras_ff.training.callbacks import StopOnNaN, explain_nan

# Number of structures that an error names.
NAMED = 16


class KeepGoodWeights(StopOnNaN):
    """Callback that ends the training when the loss or a weight is not finite, and has kept the weights from before the epoch.

    `fit` of the models of this library adds it itself, and calls `give_back`.
    """

    def __init__(self):
        super().__init__()
        self._kept, self._good, self._bad = [], -1, math.inf

    def on_epoch_begin(self, epoch, logs=None):
        """Copy the weights of the model and the state of the optimizer."""
        super().on_epoch_begin(epoch, logs)
        optimizer = self.model.optimizer
        variables = [*self.model.weights, *(optimizer.variables if optimizer is not None else [])]
        # Copies: a compiled step on JAX reuses the memory of the variables it is given.
        self._kept = [(variable, ops.copy(ops.convert_to_tensor(variable))) for variable in variables]
        self._good, self._bad = -1, math.inf

    def on_train_batch_end(self, batch, logs=None):
        """Raise an error if the mean loss of the epoch so far is not finite."""
        # Keras calls this in several threads: a later batch can be the first to tell.
        if math.isfinite((logs or {}).get("loss", 0.0)):
            self._good = max(self._good, batch)
        else:
            self._bad = min(self._bad, batch)
        super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Raise an error if a weight is not finite; then the loss of the next batch would be the first to tell."""
        for weight in self.model.trainable_weights:
            if not np.isfinite(ops.convert_to_numpy(weight)).all():
                raise FloatingPointError(explain_nan(f"The weight {weight.path} became NaN or infinite in epoch {epoch + 1}."))

    def give_back(self, error: FloatingPointError, data=None) -> str:
        """Give the model the weights from before the epoch; the text of the error, with the structures of the batch.

        Args:
            error: The error that ended the training.
            data: `keras_ff.data.Dataset` that the model was trained on, or other data.
        """
        for variable, value in self._kept:
            variable.assign(value)
        kept = f"The model has the weights of before epoch {self._epoch + 1} again."
        if self._bad == math.inf or not isinstance(data, Dataset):
            return f"{error} {kept}"
        rows = [data.indices(batch) for batch in range(self._good + 1, min(self._bad + 1, len(data)))]
        indices = np.concatenate(rows)[np.concatenate(rows) >= 0].tolist()
        names = [f"{index} ({data.structures[index].get_chemical_formula()})" for index in indices[:NAMED]]
        more = f" and {len(indices) - NAMED} more" if len(indices) > NAMED else ""
        return f"{error} The batch is made of the structures {', '.join(names)}{more}. {kept}"
