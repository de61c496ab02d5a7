"""Rows of the table, and the files of the mlearn set."""

import pytest

from keras_ff_tools.benchmarks import measure


def test_rows_are_a_dated_section_at_the_end_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "machine", lambda: "a machine")
    file = tmp_path / "table.md"
    file.write_text("before\n")
    measure.append(file, ["one | 1 |", "two | 2 |"], "keras-ff benchmark speed")
    before, _, title, _, machine, _, *table = file.read_text().splitlines()
    assert before == "before" and title.startswith("### ") and title.endswith(", `keras-ff benchmark speed`")
    assert machine == "a machine" and table == ["| what | measured |", "|---|---|", "| one | 1 |", "| two | 2 |"]


def test_files_of_an_element_are_found_and_missed_ones_named(mlearn):
    assert len(measure.mlearn(mlearn, "Si", "test")) == 2
    with pytest.raises(FileNotFoundError, match="There is no W_train.xyz"):
        measure.mlearn_file(mlearn, "W", "train")
