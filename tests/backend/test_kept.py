"""Compiled functions are kept by default."""

import os
import subprocess
import sys

import pytest

from keras_ff import backend
from keras_ff.backend import kept
from keras_ff.backend.active import twin

CODE = """
import keras_ff as kff
from keras_ff.backend.active import twin
square = kff.backend.jit(lambda x: x * x)
print(float(square(3.0)), bool(twin.compilation_cache()))
"""


def run(folder, **environment):
    environment = {**os.environ, "KERAS_FF_CACHE": str(folder), "HOME": str(folder), **environment}
    environment.pop("TF_XLA_FLAGS", None)
    return subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment)


def test_a_process_keeps_what_it_compiles_and_says_so_once(tmp_path):
    first, second = run(tmp_path / "kept"), run(tmp_path / "kept")
    assert first.stdout == second.stdout == "9.0 True\n"
    sentence = f"keras_ff keeps compiled functions in {tmp_path / 'kept' / backend.backend_name()}, at most 1 GB"
    assert sentence in first.stderr and "keeps compiled" not in second.stderr
    assert [path for path in (tmp_path / "kept" / backend.backend_name()).rglob("*") if path.is_file()]


def test_it_keeps_nothing_if_it_is_told_not_to(tmp_path):
    off = run("off", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert off.stdout == "9.0 False\n" and "keeps" not in off.stderr and not list(tmp_path.rglob("keras_ff"))


@pytest.mark.parametrize("folder", ["file", "of_the_user"])
def test_a_folder_that_cannot_be_made_and_a_cache_of_the_user_are_left_alone(tmp_path, monkeypatch, folder):
    enabled = []
    monkeypatch.setattr(twin, "enable_compilation_cache", enabled.append)
    monkeypatch.setattr(twin, "compilation_cache", lambda: "/of/the/user" if folder == "of_the_user" else None)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("KERAS_FF_CACHE", str(tmp_path / folder))
    kept.keep_compiled()
    assert enabled == [] and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_user_without_a_home_can_import(monkeypatch):
    """As in a container that runs under a number without a name."""
    enabled = []
    monkeypatch.setattr(twin, "enable_compilation_cache", enabled.append)
    monkeypatch.setattr(twin, "compilation_cache", lambda: None)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(kept, "cache_folder", homeless)
    kept.keep_compiled()
    assert enabled == []
