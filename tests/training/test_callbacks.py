import keras
import numpy as np
import pytest
from toy_training import ToyData, compiled, toy, weights

from keras_ff.training import EvaluateAverage, StopOnNaN, averaged_weights


class Watch(keras.callbacks.Callback):
    """Weights of the last step, and their averages, at the end of each epoch."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.own, self.average = [], []
        self.stop_after = stop_after

    def on_epoch_end(self, epoch, logs=None):
        self.own.append(weights(self.model))
        with averaged_weights(self.model):
            self.average.append(weights(self.model))
        if self.stop_after == epoch + 1:
            self.model.stop_training = True


def fit(model, callbacks, epochs=4, **kwargs):
    data = ToyData(shuffle=False)
    return model.fit(
        data, validation_data=ToyData(batches=2, seed=5, shuffle=False), epochs=epochs, verbose=0, shuffle=False,
        callbacks=callbacks, **kwargs,
    )  # fmt: skip


def test_validation_measures_the_average_and_training_does_not_notice():
    plain, averaged = Watch(), Watch()
    fit(toy(), [plain])
    model = toy()
    history = fit(model, [EvaluateAverage(), averaged])
    for expected, found in zip(plain.own, averaged.own, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    # `fit` leaves the average of the last epoch in the model.
    val_loss = model.evaluate(ToyData(batches=2, seed=5, shuffle=False), verbose=0, return_dict=True)["loss"]
    assert history.history["val_loss"][-1] == val_loss


@pytest.mark.parametrize("stop_after", [None, 2])
def test_the_trained_model_is_the_average_also_after_an_early_stop(stop_after):
    watch = Watch(stop_after)
    model = toy()
    fit(model, [EvaluateAverage(), watch])
    assert not np.array_equal(watch.own[-1][0], watch.average[-1][0])
    assert all(np.array_equal(a, b) for a, b in zip(weights(model), watch.average[-1], strict=True))


def test_a_model_with_an_average_can_be_evaluated_saved_and_trained_on(tmp_path):
    model = toy()
    fit(model, [EvaluateAverage()], epochs=1)
    after = weights(model)
    model.evaluate(ToyData(batches=2, seed=5, shuffle=False), verbose=0)
    model.save(tmp_path / "toy.keras")
    with averaged_weights(model):
        assert all(np.array_equal(a, b) for a, b in zip(weights(model), after, strict=True))
    fit(model, [EvaluateAverage()], epochs=1)
    assert not np.array_equal(weights(model)[0], after[0])


@pytest.mark.slow_on_tensorflow
def test_overwriting_the_weights_by_their_average_each_epoch_needs_no_callback():
    model = compiled()
    model.compile(optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5), loss=model.loss)
    watch = Watch()
    model.fit(ToyData(shuffle=False), epochs=2, verbose=0, shuffle=False, callbacks=[watch])
    assert all(np.array_equal(a, b) for a, b in zip(watch.own[-1], watch.average[-1], strict=True))


def test_averaged_weights_changes_nothing_before_the_first_step():
    model = toy()
    before = weights(model)
    with averaged_weights(model):
        assert all(np.array_equal(a, b) for a, b in zip(weights(model), before, strict=True))


def test_an_optimizer_without_average_is_refused():
    with pytest.raises(ValueError, match="use_ema=True"):
        fit(compiled(average=False), [EvaluateAverage()])


def test_a_loss_that_is_not_a_number_ends_the_training_with_advice():
    data = ToyData(shuffle=False)
    data.inputs["positions"][9] = np.nan
    # Keras looks at batches in several threads on JAX: batch 3 is the first without a number, not always the first that is seen.
    with pytest.raises(FloatingPointError, match="shortly before batch [3-6] of epoch 1.*learning rate.*clipnorm"):
        toy().fit(data, epochs=2, verbose=0, shuffle=False, callbacks=[StopOnNaN()])
