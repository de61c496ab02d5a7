"""One cycle of the learning rate, over a number of epochs or within a time."""

import time

import keras

from keras_ff.training.schedules import START, WARMUP, one_cycle_rate

# Part of the minutes that is left unplanned, as not every epoch takes the same time.
RESERVE = 0.04

# The time of an epoch is measured, compilation apart, for this part of the minutes.
MEASURE = 0.03


class _Open(int):
    """A number of epochs that nobody knows yet, printed as such."""

    def __format__(self, spec):
        return format("?", spec)


class OneCycle(keras.callbacks.Callback):
    """Set the learning rate of each epoch: a line up to `peak`, then half a cosine wave down.

    With `minutes`, the first epochs are measured; then the number of epochs is set so that the run ends in time. A resumed run is
    given that plan, and has the same epochs and the same rates. Unlike a schedule inside the optimizer, the rate is no constant of
    the compiled training step, which is compiled once although the plan comes later.

    Args:
        peak: Highest learning rate.
        epochs: Length of the run. Give this or `minutes`.
        minutes: Wall time at which the run is to end, counted from `began`.
        began: Value of `time.monotonic()` at the beginning of the run.
        measured: With `epochs` that were planned: number of epochs before the plan.
        on_plan: Called with `epochs` and `measured` when `minutes` have been turned into epochs.

    `fit` takes `epochs=one_cycle.most_epochs`.
    """

    def __init__(self, peak, epochs=None, minutes=None, began=None, measured=0, on_plan=None):
        super().__init__()
        self.peak, self.epochs, self.minutes, self.measured, self.on_plan = peak, epochs, minutes, measured, on_plan
        self.began = time.monotonic() if began is None else began
        self._ends = []

    @property
    def most_epochs(self):
        """For `fit`: the number of epochs, or a number beyond any plan."""
        return self.epochs or _Open(10**6)

    def rate(self, epoch):
        """Learning rate of an epoch, counted from 0."""
        now = epoch + 0.5
        if self.epochs is None or epoch < self.measured:
            # As in the rise of a run of 100 epochs.
            return self.peak * min(START + 0.1 * now, 1.0)
        warmup = max(WARMUP, self.measured / self.epochs)
        return one_cycle_rate(self.peak, now / self.epochs, warmup)

    def on_train_begin(self, logs=None):
        self._ends = []

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.rate(epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._ends.append(time.monotonic())
        if self.epochs is None:
            self._plan(epoch + 1)
        if self.epochs is not None and epoch + 1 >= self.epochs:
            self.model.stop_training = True

    def _plan(self, done):
        budget = 60 * self.minutes
        left = self.began + (1 - RESERVE) * budget - self._ends[-1]
        spent = self._ends[-1] - self._ends[0]
        if left > 0 and (len(self._ends) < 2 or spent < MEASURE * budget and len(self._ends) < 20):
            return
        more = left * (len(self._ends) - 1) / spent if left > 0 else 0
        self.epochs, self.measured = done + int(more), done
        # Keras hands the same dictionary to all callbacks, which read the length of the run from it.
        self.params["epochs"] = self.epochs
        if self.on_plan:
            self.on_plan(self.epochs, self.measured)
