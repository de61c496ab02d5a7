"""Temporary folders beside what is written."""

import os
import subprocess
import sys
import time

import pytest

from keras_ff.files.folders import folder_beside


def test_the_folder_is_empty_and_goes(tmp_path):
    with pytest.raises(ArithmeticError), folder_beside(tmp_path / "new" / "silicon") as temporary:
        assert temporary.parent == tmp_path / "new" and temporary.name.startswith(".silicon.") and not list(temporary.iterdir())
        with folder_beside(tmp_path / "new" / "silicon") as other:
            assert other != temporary
        raise ArithmeticError
    assert not list((tmp_path / "new").iterdir())


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path):
    program = (
        "import os, signal; from keras_ff.files.folders import folder_beside\n"
        "with folder_beside('silicon') as folder: (folder / 'x').mkdir(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path)
    (left,) = tmp_path.iterdir()
    with folder_beside(tmp_path / "germanium"):
        assert left.exists()
    with folder_beside(tmp_path / "silicon"):
        assert not left.exists()


def test_folders_of_other_machines_are_removed_after_a_day(tmp_path, monkeypatch):
    with folder_beside(tmp_path / "silicon") as temporary:
        monkeypatch.setattr("platform.node", lambda: "another.machine")
        with folder_beside(tmp_path / "silicon"):
            assert temporary.exists()
        os.utime(temporary, (0, time.time() - 100_000))
        with folder_beside(tmp_path / "silicon"):
            assert not temporary.exists()
