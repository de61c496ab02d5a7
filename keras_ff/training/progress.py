"""A callback that prints one line for each epoch, in the units of the field."""

import sys
import time

import keras

from keras_ff.arguments import whole
from keras_ff.data.units import EV_PER_A3_IN_GPA


class Progress(keras.callbacks.Callback):
    """Callback that prints a line every few epochs: errors in meV, learning rate, and the time that is left.

    For terminals and log files alike; pass `verbose=0` to `fit` in place of
    Keras' own bar. Errors are mean absolute errors of the validation data, or
    of the training data (marked "train") if there is no validation; a column
    appears if `default_metrics` are among the metrics of the model.

        model.fit(data, verbose=0, callbacks=[Progress(every=10)])

    Args:
        every: Number of epochs between two lines. The first and the last epoch
            are always printed.
        stream: Stream to print to; by default the standard output.

    Raises:
        ValueError: If `every` is not a positive integer.
    """

    # Name in the logs, title, unit, factor from eV, eV/Å, eV/Å^3.
    _ERRORS = (
        ("energy_per_atom_mae", "energy", "meV/atom", 1e3),
        ("forces_mae", "forces", "meV/Å", 1e3),
        ("stress_mae", "stress", "GPa", EV_PER_A3_IN_GPA),
    )

    def __init__(self, every=1, stream=None):
        super().__init__()
        self.every = whole("every", every, 1)
        self.stream = stream

    def on_train_begin(self, logs=None):
        """Start the clock."""
        self._columns = None
        self._ends = [time.monotonic()]
        self._unprinted = None

    def on_epoch_end(self, epoch, logs=None):
        """Print the line of the epoch, or keep it for the end."""
        logs = logs or {}
        self._ends.append(time.monotonic())
        if self._columns is None:
            self._columns = self._choose(logs)
            self._print_titles()
        line = self._line(epoch + 1, logs)
        first, last = len(self._ends) == 2, epoch + 1 == self.params["epochs"]
        if first or last or (epoch + 1) % self.every == 0:
            self._print(line)
            self._unprinted = None
        else:
            self._unprinted = line

    def on_train_end(self, logs=None):
        """Print the last line and the time of all epochs."""
        if self._unprinted is not None:
            self._print(self._unprinted)
        if len(self._ends) > 1:
            self._print(f"{len(self._ends) - 1} epochs in {duration(self._ends[-1] - self._ends[0])}")

    def _choose(self, logs):
        """Columns as (name in the logs, title, unit, factor)."""
        columns = [("loss", "loss", "", 1.0)]
        if "val_loss" in logs:
            columns.append(("val_loss", "val loss", "", 1.0))
        for name, title, unit, factor in self._ERRORS:
            if f"val_{name}" in logs:
                columns.append((f"val_{name}", title, unit, factor))
            elif name in logs:
                columns.append((name, f"{title} (train)", unit, factor))
        return columns

    def _print_titles(self):
        self._width = [max(10, len(title) + 2) for _, title, _, _ in self._columns]
        rate, left = f"{'rate':>10}", f"{'s/epoch':>9}{'left':>13}"
        titles = "".join(f"{title:>{width}}" for (_, title, _, _), width in zip(self._columns, self._width))
        units = "".join(f"{unit:>{width}}" for (_, _, unit, _), width in zip(self._columns, self._width))
        self._print(f"{'epoch':>11}{titles}{rate}{left}")
        self._print(f"{'':>11}{units}")

    def _line(self, epoch, logs):
        epochs = self.params["epochs"]
        cells = "".join(
            f"{_short(logs[name] * factor) if name in logs else '-':>{width}}"
            for (name, _, _, factor), width in zip(self._columns, self._width)
        )
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = self._ends[-1] - self._ends[-2]
        # The first epoch compiles.
        recent = self._ends[1:][-11:]
        left = (epochs - epoch) * (recent[-1] - recent[0]) / (len(recent) - 1) if len(recent) > 1 else None
        return f"{f'{epoch}/{epochs}':>11}{cells}{rate:>10.1e}{seconds:>9.1f}{'-' if left is None else duration(left):>13}"

    def _print(self, line):
        print(line, file=self.stream or sys.stdout, flush=True)


def duration(seconds):
    """A time in words, rounded to seconds, or to minutes above an hour.

    Args:
        seconds: Time in s.

    Example:
        >>> from keras_ff.training.progress import duration
        >>> [duration(seconds) for seconds in (4.2, 75, 5400)]
        ['4 s', '1 min 15 s', '1 h 30 min']
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _short(value):
    """Four digits; a number that does not exist (no such label) is a dash."""
    return "-" if value != value else f"{value:.4g}"
