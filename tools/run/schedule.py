"""One cycle of the learning rate, over a number of epochs or within a time."""

import time
from collections.abc import Callable

import keras

from keras_ff.training.schedules import START, WARMUP, one_cycle_rate

# Fraction of the minutes that is left unplanned, as not every epoch takes the same time.
RESERVE = 0.04

# Fraction of the minutes that is trained after compilation, however long that took: a network that learned nothing helps nobody.
LEAST = 0.5

# The time of an epoch is measured, compilation apart, for this fraction of the minutes, and for at most so many epochs.
MEASURE, MOST_MEASURED = 0.03, 20


class _Open(int):
    """A number of epochs that nobody knows yet, printed as such."""

    def __format__(self, spec):
        return format("?", spec)


class OneCycle(keras.callbacks.Callback):
    """Set the learning rate of each epoch: a line up to `peak`, then half a cosine wave down.

    It is the curve of `keras_ff.training.one_cycle`, which is made of operations of the backend and knows its length from the
    beginning; these rates are numbers.

    With `minutes`, the first epochs are measured; then the number of epochs is set so that the run ends in time, or later where
    compilation has taken more than half of the minutes: half of them are trained, and `overrun` is the time in s beyond. A
    resumed run is given that plan, and has the same epochs and the same rates. Unlike a schedule inside the optimizer, the rate is
    no constant of the compiled training step, which is compiled once although the plan comes later. `fit` takes
    `epochs=one_cycle.most_epochs`.

    Args:
        peak: Highest learning rate.
        epochs: Length of the run. Give this or `minutes`.
        minutes: Wall time at which the run is to end, counted from `began`.
        began: Value of `time.monotonic()` at the beginning of the run.
        measured: With `epochs` that were planned: number of epochs before the plan.
        on_plan: Function of `epochs` and `measured`, called when `minutes` have been turned into epochs.
    """

    def __init__(
        self,
        peak: float,
        epochs: int | None = None,
        minutes: float | None = None,
        began: float | None = None,
        measured: int = 0,
        on_plan: Callable[[int, int], None] | None = None,
    ):
        super().__init__()
        self.peak, self.epochs, self.minutes, self.measured, self.on_plan = peak, epochs, minutes, measured, on_plan
        self.began = time.monotonic() if began is None else began
        self.overrun = 0.0
        self._ends = []

    @property
    def most_epochs(self) -> int:
        """For `fit`: the number of epochs, or a number beyond any plan."""
        return self.epochs or _Open(10**6)

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0: that of the curve at its middle."""
        now = epoch + 0.5
        if self.epochs is None or epoch < self.measured:
            # As in the rise of a run of 100 epochs.
            return self.peak * min(START + 0.1 * now, 1.0)
        warmup = max(WARMUP, self.measured / self.epochs)
        return one_cycle_rate(self.peak, now / self.epochs, warmup)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forget the times of an earlier training."""
        self._ends = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of the epoch."""
        self.model.optimizer.learning_rate = self.rate(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Plan the number of epochs, if it is time to, and stop after the last one."""
        self._ends.append(time.monotonic())
        if self.epochs is None:
            self._plan(epoch + 1)
        if self.epochs is not None and epoch + 1 >= self.epochs:
            self.model.stop_training = True

    def _plan(self, done):
        budget = 60 * self.minutes
        left = self.began + (1 - RESERVE) * budget - self._ends[-1]
        spent = self._ends[-1] - self._ends[0]
        if len(self._ends) < 2 or (spent < MEASURE * budget and len(self._ends) < MOST_MEASURED):
            return
        least = max(LEAST * budget - spent, 0.0)
        self.overrun = max(least - left, 0.0)
        self.epochs, self.measured = done + int(max(left, least) * (len(self._ends) - 1) / spent), done
        # Keras hands the same dictionary to all callbacks, which read the length of the run from it.
        self.params["epochs"] = self.epochs
        if self.on_plan:
            self.on_plan(self.epochs, self.measured)
