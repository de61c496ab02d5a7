"""Logs that a resumed run continues without gaps and without repeated epochs."""

import csv
import io
from pathlib import Path

import keras
import numpy as np

from keras_ff.files import replace_when_complete, sentence_of_the_disk
from keras_ff.training import event_file


class EpochLog(keras.callbacks.Callback):
    """Base class of callbacks that log one record for each epoch.

    When training begins at epoch n, the records of epoch n and later are removed:
    they were left by a run that was killed before it wrote its state. No kill
    loses a record; a power failure may lose the last ones, since waiting for the
    disk would slow down short epochs.
    """

    def __init__(self):
        super().__init__()
        self._begun = False

    def on_train_begin(self, logs=None):
        """Note that a training begins."""
        self._begun = False

    def on_epoch_end(self, epoch, logs=None):
        """Add the record of the epoch, with the learning rate."""
        values = {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}
        values.setdefault("learning_rate", float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        if not self._begun:
            self.keep_before(epoch + 1)
            self._begun = True
        self.add(epoch + 1, values)

    def keep_before(self, epoch):
        """Remove the records of `epoch`, counted from 1, and later."""
        raise NotImplementedError

    def add(self, epoch, values):
        """Append the record of `epoch`, counted from 1."""
        raise NotImplementedError


class CSVLog(EpochLog):
    """Callback that writes the logs of each epoch to a table of comma-separated values.

    Columns are `epoch`, counted from 1, the logs of `fit` in their order, and
    `learning_rate`. Numbers are written so that they read back exactly; an
    empty cell was not logged, as in epochs that `validation_freq` leaves out.

    `keras.callbacks.CSVLogger(append=True)` writes an epoch twice if the run was
    killed between writing the line and writing the state.

        model.fit(data, callbacks=[CSVLog("run/log.csv")])

    Args:
        path: Path of the file.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self._rows = []
        self._columns = ["epoch"]

    def keep_before(self, epoch):
        """Remove the rows of `epoch`, counted from 1, and later."""
        self._rows = [row for row in self._read() if int(row["epoch"]) < epoch] if epoch > 1 else []
        self._columns = ["epoch"]
        self._rewrite()

    def add(self, epoch, values):
        """Append the row of `epoch`, counted from 1."""
        row = {"epoch": str(epoch), **{name: repr(value) for name, value in values.items()}}
        self._rows.append(row)
        if set(row) <= set(self._columns):
            with sentence_of_the_disk(self.path), open(self.path, "a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns, restval="", lineterminator="\n").writerow(row)
        else:
            self._rewrite()

    def _read(self):
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        lines = io.StringIO(text[: text.rfind("\n") + 1], newline="")  # A kill may have cut the last line.
        rows = [row for row in csv.DictReader(lines) if (row.get("epoch") or "").isdigit()]
        return [{name: cell for name, cell in row.items() if name and cell} for row in rows]

    def _rewrite(self):
        self._columns = list(dict.fromkeys([*self._columns, *(name for row in self._rows for name in row)]))
        with replace_when_complete(self.path) as part, open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)


class TensorBoardLog(EpochLog):
    """Callback that writes the logs of each epoch for TensorBoard.

    Training and validation are two folders with the same tags, which TensorBoard
    draws into the same figures: `tensorboard --logdir run/tensorboard`.

    `keras.callbacks.TensorBoard` shows more (weights, profiles), but needs
    TensorFlow on any backend, and after a kill it leaves epochs that were run
    twice in two files. This one needs neither TensorFlow nor TensorBoard.

    Args:
        folder: Folder in which the folders "train" and "validation" are made.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def keep_before(self, epoch):
        """Remove the records of `epoch`, counted from 1, and later."""
        for part in ("train", "validation"):
            path = self._path(part)
            kept = event_file.read(path, before=epoch) if epoch > 1 and path.exists() else []
            if kept:
                with replace_when_complete(path) as new:
                    new.write_bytes(b"".join(kept))
            else:
                path.unlink(missing_ok=True)

    def add(self, epoch, values):
        """Append the records of `epoch`, counted from 1."""
        training = {name: value for name, value in values.items() if not name.startswith("val_")}
        validation = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        for part, scalars in (("train", training), ("validation", validation)):
            if scalars:
                with sentence_of_the_disk(self._path(part)):
                    event_file.append(self._path(part), epoch, scalars)

    def _path(self, part):
        return self.folder / part / "events.out.tfevents.0.keras_ff"
