import os

import pytest

from keras_ff.files.state import read_state, write_state


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.state"
    write_state(path, {"x": 1})

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_state(path, {"x": 2})
    monkeypatch.undo()
    assert read_state(path) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.state"]
