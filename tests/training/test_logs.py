import csv

import pytest
from toy_training import ToyData, toy

from keras_ff.training import CSVLog, TensorBoardLog


def record(log, epochs, first=0, lines=None):
    """Run `log` as `fit` does, without training."""
    log.set_model(toy())
    log.set_params({"epochs": epochs})
    log.on_train_begin()
    for epoch in range(first, epochs):
        log.on_epoch_end(epoch, {"loss": 1 / (epoch + 3), "val_loss": 0.1 * epoch})
    log.on_train_end()
    return log


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_has_one_exact_line_an_epoch(tmp_path):
    path = tmp_path / "run" / "log.csv"
    record(CSVLog(path), 4)
    rows = read(path)
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "learning_rate"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["loss"]) for row in rows] == [1 / 3, 1 / 4, 1 / 5, 1 / 6]


@pytest.mark.parametrize("rest", ["", "5,0.1", '5,"0.1\n', "5,0.1,0.2,0.3\n6,1,2,3\n", "\x00\x00\x00"])
def test_a_resumed_table_has_neither_gaps_nor_repeated_lines(tmp_path, rest):
    whole = record(CSVLog(tmp_path / "whole.csv"), 6).path.read_text()
    path = tmp_path / "log.csv"
    record(CSVLog(path), 4)
    with open(path, "a") as file:
        file.write(rest)
    record(CSVLog(path), 6, first=4)
    assert path.read_text() == whole
    record(CSVLog(path), 6, first=2)
    assert path.read_text() == whole


def test_a_new_run_begins_a_new_table(tmp_path):
    record(CSVLog(tmp_path / "log.csv"), 6)
    record(CSVLog(tmp_path / "log.csv"), 2)
    assert len(read(tmp_path / "log.csv")) == 2


def test_numbers_that_appear_later_get_a_column(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    log.set_model(toy())
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 1.0})
    log.on_epoch_end(1, {"loss": 0.5, "val_loss": 2.0})
    log.on_epoch_end(2, {"loss": 0.25})
    assert [(row["loss"], row["val_loss"]) for row in read(log.path)] == [("1.0", ""), ("0.5", "2.0"), ("0.25", "")]


def scalars(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(item.step, item.value) for item in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_what_is_logged(tmp_path):
    record(TensorBoardLog(tmp_path), 3)
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert set(train) == {"loss", "learning_rate"}
    assert [step for step, _ in train["loss"]] == [1, 2, 3]
    assert [value for _, value in train["loss"]] == pytest.approx([1 / 3, 1 / 4, 1 / 5])
    assert set(validation) == {"loss"}


@pytest.mark.parametrize("cut", [0, 1, 10, 60])
def test_resumed_events_have_neither_gaps_nor_repeated_steps(tmp_path, cut):
    log = record(TensorBoardLog(tmp_path), 4)
    path = log._path("train")
    path.write_bytes(path.read_bytes()[: -cut or None])
    record(TensorBoardLog(tmp_path), 5, first=3)
    assert [step for step, _ in scalars(tmp_path / "train")["loss"]] == [1, 2, 3, 4, 5]


def test_logs_of_a_training(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    history = toy().fit(ToyData(shuffle=False), epochs=2, verbose=0, shuffle=False, callbacks=[log])
    rows = read(tmp_path / "log.csv")
    assert [float(row["forces_mae"]) for row in rows] == history.history["forces_mae"]
    assert float(rows[0]["learning_rate"]) > 0
