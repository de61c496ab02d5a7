import keras
import numpy as np
import pytest
from toy_training import Fixed, ToyData, ToyModel, toy, weights

from keras_ff.training import BestModel, EvaluateAverage, save_model

TOYS = {"ToyModel": ToyModel, "Fixed": Fixed}
VALIDATION = ToyData(batches=2, seed=5, shuffle=False)


def fit(callbacks, epochs=5, **kwargs):
    model = toy()
    history = model.fit(
        ToyData(batches=3, shuffle=False), epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks,
        **{"validation_data": VALIDATION, **kwargs},
    )  # fmt: skip
    return weights(model), history.history


@pytest.mark.slow_on_tensorflow
def test_the_saved_model_is_the_one_that_was_validated_best(tmp_path):
    best = BestModel(tmp_path / "best.keras", monitor="val_forces_mae", mode="max")
    _, history = fit([EvaluateAverage(), best])
    values = history["val_forces_mae"]
    assert best.best == max(values)
    assert best.best_epoch == np.argmax(values) + 1
    saved = keras.models.load_model(best.path, custom_objects=TOYS)
    assert saved.evaluate(VALIDATION, verbose=0, return_dict=True)["forces_mae"] == best.best


def test_saving_does_not_change_the_training(tmp_path):
    plain, _ = fit([EvaluateAverage()])
    saving, _ = fit([EvaluateAverage(), BestModel(tmp_path / "best.keras")])
    assert all(np.array_equal(a, b) for a, b in zip(plain, saving, strict=True))


def test_epochs_without_validation_are_left_out(tmp_path):
    best = BestModel(tmp_path / "best.keras")
    fit([best], epochs=4, validation_freq=2)
    assert best.best_epoch in (2, 4)


def test_a_name_that_is_not_logged_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ValueError, match="'val_force_mae'.*'val_forces_mae'"):
        fit([BestModel(tmp_path / "best.keras", monitor="val_force_mae")])
    with pytest.raises(ValueError, match="Pass validation_data"):
        fit([BestModel(tmp_path / "best.keras")], epochs=1, validation_data=None)


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r'end with "\.keras"'):
        BestModel(tmp_path / "best.h5")
    with pytest.raises(ValueError, match="mode='auto'"):
        BestModel(tmp_path / "best.keras", mode="auto")
    with pytest.raises(ValueError, match=r'end with "\.keras"'):
        save_model(None, tmp_path / "best")


def test_saving_that_fails_keeps_the_old_model(tmp_path, monkeypatch):
    path = tmp_path / "toy.keras"
    model = toy()
    save_model(model, path)
    before = path.read_bytes()

    def half(self, target, **kwargs):
        target.write_bytes(before[:1000])
        raise OSError("No space left on device")

    monkeypatch.setattr(ToyModel, "save", half)
    with pytest.raises(OSError, match="No space"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["toy.keras"]


def test_the_state_of_a_best_model_without_its_file_is_not_trusted(tmp_path):
    best = BestModel(tmp_path / "best.keras")
    with pytest.warns(UserWarning, match="is missing"):
        best.set_state({"best": 0.1, "best_epoch": 3})
    assert best.best is None
