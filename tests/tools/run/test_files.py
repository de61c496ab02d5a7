"""Small files of a run."""

import math

import pytest

from keras_ff_tools.run.files import read_json, read_log, several, source_files, write_csv, write_json


def test_a_table_keeps_its_numbers_and_what_was_not_measured(tmp_path):
    rows = [{"loss": 0.1, "val_loss": math.nan}, {"loss": 1e-17, "val_loss": 0.3}]
    write_csv(tmp_path / "log.csv", ["loss", "val_loss"], rows)
    assert (tmp_path / "log.csv").read_text() == "loss,val_loss\n0.1,\n1e-17,0.3\n"
    log = read_log(tmp_path / "log.csv")
    assert log["loss"] == [0.1, 1e-17] and math.isnan(log["val_loss"][0]) and log["val_loss"][1] == 0.3


def test_json_keeps_the_letters(tmp_path):
    write_json(tmp_path / "a.json", {"unit": "eV/Å"})
    assert read_json(tmp_path / "a.json") == {"unit": "eV/Å"} and "Å" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_sources_are_files_frames_of_files_folders_and_patterns(tmp_path):
    names = [str(tmp_path / name) for name in ("a.xyz", "b.xyz", "c@d.xyz")]
    for name in names:
        open(name, "w").close()
    assert source_files(names[0]) == source_files(f"{names[0]}@0:8") == [names[0]]
    assert source_files(names[2]) == [names[2]]
    assert source_files(tmp_path) == source_files(tmp_path / "*.xyz") == names
    assert source_files(tmp_path / "nowhere.xyz") == []
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".a.xyz").touch()
    assert source_files(tmp_path) == names


def test_a_damaged_log_is_named_and_a_line_that_a_kill_has_cut_is_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n1,0.5\n2,0.2")
    assert read_log(path) == {"epoch": [1.0], "loss": [0.5]}
    for line in ("2,0.x", "2,0.1,0.2", "2,\x00"):
        path.write_text(f"epoch,loss\n1,0.5\n{line}\n")
        with pytest.raises(ValueError, match="log.csv is damaged: line 3"):
            read_log(path)


def test_a_number_of_things_is_singular_for_one():
    assert [several(count, "batch", "batches") for count in (0, 1, 2500)] == ["0 batches", "1 batch", "2,500 batches"]
    assert several(1, "epoch") == "1 epoch" and several(3, "epoch") == "3 epochs"
