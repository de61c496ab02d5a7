"""Where compiled functions are kept, and how much of them."""

import os

import pytest

from keras_ff.files import OFF, cache_folder, keep_small


def test_the_folder_is_that_of_the_environment_or_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FF_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    for value in (OFF, ""):
        monkeypatch.setenv("KERAS_FF_CACHE", value)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of_user"))
        assert cache_folder() == tmp_path / "of_user" / "keras_ff"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "keras_ff"


@pytest.mark.parametrize(("most", "left"), [(10_000, 8), (7_999, 3), (100, 0)])
def test_the_oldest_files_of_a_full_folder_go(tmp_path, most, left):
    (tmp_path / "folder").mkdir()
    for age in range(8):
        file = tmp_path / f"{age}"
        file.write_bytes(bytes(1000))
        os.utime(file, (1e9 - age, 1e9 - age))
    keep_small(tmp_path, most)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [str(age) for age in range(left)]
    assert (tmp_path / "folder").exists()
    keep_small(tmp_path / "nowhere")
