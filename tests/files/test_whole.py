import errno
import os
import subprocess
import sys

import pytest

from keras_ff.files import replace_when_complete
from keras_ff.files.processes import host
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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_or_read_only_disk_is_a_sentence_with_the_name_of_the_file(tmp_path, code):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="a.txt could not be written: .*Make room, or name a folder"):
        with replace_when_complete(path) as part:
            part.write_text("half")
            raise OSError(code, os.strerror(code))
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["a.txt"]


def test_a_disk_that_is_full_for_hdf5_and_zip_files_is_a_sentence_too(tmp_path):
    """The limit on the size of a file stands for a disk."""
    program = """
import resource, signal, sys
import numpy as np, h5py, zipfile
from keras_ff.files import replace_when_complete
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for name in ("a.h5", "a.zip"):
    try:
        with replace_when_complete(f"{sys.argv[1]}/{name}") as part:
            if name == "a.h5":
                with h5py.File(part, "w") as file:
                    file["x"] = np.arange(100000.0)
            else:
                with zipfile.ZipFile(part, "w") as archive, archive.open("x", "w") as member:
                    member.write(bytes(100000))
                    member.write(bytes(100000))
    except OSError as error:
        print(error)
"""
    for name in ("a.h5", "a.zip"):
        (tmp_path / name).write_text("before")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all("could not be written: File too large" in line for line in lines), done
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "a.zip"] and (tmp_path / "a.h5").read_text() == "before"


def test_an_error_of_reading_is_not_called_one_of_writing(tmp_path):
    with pytest.raises(PermissionError, match="source.xyz"):
        with replace_when_complete(tmp_path / "a.txt"):
            raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "source.xyz"))
    with pytest.raises(OSError, match="a.txt could not be written: Permission denied"):
        with replace_when_complete(tmp_path / "a.txt") as part:
            raise PermissionError(errno.EACCES, "Permission denied", str(part))


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "a.txt"
    with replace_when_complete(path) as one:
        one.write_text("one")
        with replace_when_complete(path) as other:
            other.write_text("other")
        assert path.read_text() == "other"
    assert path.read_text() == "one" and os.listdir(tmp_path) == ["a.txt"]


def test_what_a_killed_writer_left_behind_is_removed_by_the_next(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f".a.{host()}-{ended.pid}-0123abcd.part.txt", f".a.node-7-{ended.pid}-0123abcd.part.txt", ".a.part.txt"]
    for name in names:
        (tmp_path / name).touch()
    with replace_when_complete(tmp_path / "a.txt") as part:
        part.write_text("")
    assert sorted(os.listdir(tmp_path)) == sorted([*names[1:], "a.txt"])
