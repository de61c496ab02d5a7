import random
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from toy_training import ToyData, ToyModel, compiled, toy, weights

from keras_ff.files.state import write_state
from keras_ff.models.epochs import SetEpoch
from keras_ff.training import EvaluateAverage, RunState


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def train(folder, epochs=6, interrupt=None, callbacks=(), model=None, every=1, shuffle=False):
    """What a model has after a training that nothing but the folder connects with those before."""
    data = ToyData(batches=3)
    model = model or toy()
    callbacks = [SetEpoch(data), *callbacks]
    state = RunState(folder, callbacks, every=every)
    extra = [] if interrupt is None else [Interrupt(interrupt)]
    try:
        model.fit(
            data, validation_data=ToyData(batches=1, seed=5, shuffle=False), epochs=epochs, verbose=0, shuffle=shuffle,
            callbacks=[*callbacks, state, *extra],
        )  # fmt: skip
    except KeyboardInterrupt:
        pass
    return SimpleNamespace(model=model, weights=weights(model), epochs=model.history.epoch, history=model.history.history)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))


@pytest.fixture(scope="module")
def six_epochs(tmp_path_factory):
    return train(tmp_path_factory.mktemp("six"))


def test_more_epochs_continue_a_finished_run(six_epochs, tmp_path):
    train(tmp_path, epochs=4)
    # With an optimizer that has taken no step.
    assert same(train(tmp_path, epochs=6, model=compiled()), six_epochs)


def test_a_run_whose_length_a_callback_sets_trains_nothing_when_it_is_over(six_epochs, tmp_path):
    class Six(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.params["epochs"] = 6

        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch + 1 == 6

    for _ in range(2):
        trained = train(tmp_path, epochs=100, callbacks=[Six()])
        assert same(trained, six_epochs)
        assert len(trained.epochs) == 6


def test_a_state_every_second_epoch_resumes_exactly(six_epochs, tmp_path):
    train(tmp_path, interrupt=5, every=2)
    assert [path.name for path in sorted(tmp_path.glob("*.state"))] == ["epoch-000002.state", "epoch-000004.state"]
    assert same(train(tmp_path, every=2), six_epochs)


def test_a_damaged_state_is_refused_and_the_one_before_it_is_used(six_epochs, tmp_path):
    train(tmp_path, interrupt=4)
    newest = RunState(tmp_path).latest
    assert newest.name == "epoch-000004.state"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match="epoch-000004.state is truncated or damaged"):
        assert same(train(tmp_path), six_epochs)


def test_a_run_of_which_every_state_is_damaged_does_not_silently_begin_anew(tmp_path):
    train(tmp_path, epochs=2)
    for path in tmp_path.glob("*.state"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="remove the folder to begin anew"):
        train(tmp_path)


def test_python_shuffling_the_batches_is_resumed_as_well(tmp_path):
    def seeded(folder, **kwargs):
        random.seed(4)
        return train(folder, shuffle=True, **kwargs)

    whole = seeded(tmp_path / "whole")
    seeded(tmp_path / "parts", interrupt=3)
    assert same(seeded(tmp_path / "parts"), whole)


@pytest.mark.slow_on_tensorflow
def test_early_stopping_counts_on_and_stays_stopped(tmp_path):
    def stopping(folder, **kwargs):
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, min_delta=10.0, restore_best_weights=True)
        return train(tmp_path / folder, callbacks=[stop], model=toy(average=False), **kwargs)

    whole = stopping("whole", epochs=9)
    assert len(whole.epochs) == 4
    for interrupt in (1, 3):
        stopping("parts", epochs=9, interrupt=interrupt)
    assert same(stopping("parts", epochs=9), whole)
    again = stopping("parts", epochs=20)
    assert same(again, whole)
    assert again.epochs == whole.epochs
    assert again.history["val_loss"] == whole.history["val_loss"]


@pytest.mark.slow_on_tensorflow
def test_a_reduced_learning_rate_stays_reduced(tmp_path):
    def run(folder, **kwargs):
        plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=2, min_delta=10.0, factor=0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # The optimizer counts as unchanged.
            return train(folder, callbacks=[plateau], model=toy(rate=0.01, average=False), **kwargs)

    whole = run(tmp_path / "whole")
    assert len(set(whole.history["learning_rate"])) == 3
    run(tmp_path / "parts", interrupt=4)
    resumed = run(tmp_path / "parts")
    assert same(resumed, whole)
    assert repr(resumed.history) == repr(whole.history)  # NaN where there is no stress.


def test_a_state_of_another_model_is_refused(tmp_path):
    train(tmp_path, epochs=1)
    other = ToyModel()
    other.readout = keras.layers.Dense(5)
    with pytest.raises(ValueError, match=r"belongs to another model.*\(8, 4\).*\(8, 5\)"):
        train(tmp_path, model=compiled(model=other))


def test_a_state_of_another_optimizer_is_refused(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="belongs to another optimizer"):
        train(tmp_path, model=compiled(average=False))


def test_a_state_of_another_configuration_or_kind_is_refused(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="belongs to another model. What differs: dropout: .* then, 0.25 now"):
        train(tmp_path, model=compiled(model=ToyModel(0.25)))
    write_state(RunState(tmp_path).latest, {"values": [1.0]})
    with pytest.raises(ValueError, match="no state of a training: it has no backend"):
        train(tmp_path)


def test_two_trainings_in_one_folder_are_refused(tmp_path):
    train(tmp_path, epochs=1)
    (tmp_path / "in_use.lock").write_text('{"host": "node-7", "process": 12, "since": "yesterday"}')
    with pytest.raises(OSError, match="in use by process 12 on node-7 since yesterday"):
        train(tmp_path, epochs=2)
    (tmp_path / "in_use.lock").unlink()
    train(tmp_path, epochs=2)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".state", ".state"]


def test_another_schedule_is_warned_of(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.warns(UserWarning, match="The optimizer differs.*learning_rate.* 90.* 180"):
        train(tmp_path, epochs=1, model=compiled(steps=200))


def test_weights_that_are_not_numbers_are_not_written(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                self.model.readout.bias.assign([np.nan] * 4)

    with pytest.raises(FloatingPointError, match="epoch 3.*learning rate"):
        train(tmp_path, callbacks=[Spoil()])
    assert RunState(tmp_path).latest.name == "epoch-000002.state"


def test_callbacks_after_the_state_are_refused(tmp_path):
    stopping = keras.callbacks.EarlyStopping()
    with pytest.raises(ValueError, match="EarlyStopping.*must stand before"):
        toy().fit(ToyData(), verbose=0, callbacks=[RunState(tmp_path, [stopping]), stopping])


def test_a_model_that_is_not_built_is_refused_at_once(tmp_path):
    if keras.config.backend() == "jax":
        pytest.skip("Keras builds the model before training on JAX.")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="built before `fit`"):
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0, callbacks=[RunState(tmp_path)])


def test_a_second_fit_without_a_state_begins_at_the_first_epoch(tmp_path):
    train(tmp_path, epochs=1)
    model = train(tmp_path, epochs=2, callbacks=[EvaluateAverage()]).model
    history = model.fit(ToyData(batches=3), epochs=1, verbose=0)
    assert history.epoch == [0]


def test_every_must_be_a_number_of_epochs(tmp_path):
    with pytest.raises(ValueError, match="Received every=0"):
        RunState(tmp_path, every=0)
