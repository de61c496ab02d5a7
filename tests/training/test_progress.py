import doctest
import io
from types import SimpleNamespace

import pytest
from toy_training import ToyData, toy

from keras_ff.training import Progress, progress


def lines(logs, epochs=1, every=1):
    """What is printed for the logs of some epochs."""
    stream = io.StringIO()
    callback = Progress(every=every, stream=stream)
    callback.set_model(toy())
    callback.set_params({"epochs": epochs})
    callback.on_train_begin()
    for epoch, values in enumerate(logs):
        callback.on_epoch_end(epoch, values)
    callback.on_train_end()
    return stream.getvalue().splitlines()


LOGS = {
    "loss": 0.125,
    "energy_per_atom_mae": 0.5,
    "val_loss": 0.25,
    "val_energy_per_atom_mae": 0.00312,
    "val_forces_mae": 0.0814,
    "val_stress_mae": 0.01,
}


def test_errors_are_those_of_validation_in_units_of_the_field():
    titles, units, line, _ = lines([LOGS])
    assert titles.split() == ["epoch", "loss", "val", "loss", "energy", "forces", "stress", "rate", "s/epoch", "left"]
    assert units.split() == ["meV/atom", "meV/Å", "GPa"]
    assert line.split()[:7] == ["1/1", "0.125", "0.25", "3.12", "81.4", "1.602", "8.0e-04"]
    assert len(titles) == len(line)


def test_without_validation_the_errors_of_training_are_marked():
    titles, _, line, _ = lines([{"loss": 1.0, "forces_mae": 0.2}])
    assert "forces (train)" in titles
    assert "energy" not in titles
    assert line.split()[2] == "200"


def test_an_error_without_labels_is_a_dash():
    *_, line, _ = lines([{**LOGS, "val_stress_mae": float("nan")}])
    assert line.split()[5] == "-"


def test_first_every_and_last_epoch_are_printed():
    printed = lines([LOGS] * 8, epochs=8, every=3)
    assert [line.split()[0] for line in printed[2:-1]] == ["1/8", "3/8", "6/8", "8/8"]
    assert printed[-1].startswith("8 epochs in ")


def test_the_epoch_that_stops_early_is_printed():
    printed = lines([LOGS] * 5, epochs=100, every=10)
    assert [line.split()[0] for line in printed[2:-1]] == ["1/100", "5/100"]


def test_time_left_leaves_out_the_first_epoch_which_compiles(monkeypatch):
    now = iter([0.0, 60.0, 62.0, 64.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(now)))
    printed = lines([LOGS] * 3, epochs=33)
    assert printed[2].split()[-1] == "-"
    assert printed[3].endswith(" 1 min 2 s")
    assert printed[4].endswith(" 1 min 0 s")


@pytest.mark.slow_on_tensorflow
def test_progress_in_fit_prints_to_the_standard_output(capsys):
    toy().fit(ToyData(batches=2), validation_data=ToyData(batches=1), epochs=2, verbose=0, callbacks=[Progress()])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:2] == ["epoch", "loss"]
    assert printed[3].split()[0] == "2/2"


def test_every_must_be_a_number_of_epochs():
    with pytest.raises(ValueError, match="Received every=0"):
        Progress(every=0)


def test_doctests():
    assert doctest.testmod(progress).failed == 0
