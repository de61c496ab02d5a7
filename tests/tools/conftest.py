"""A small trained run that the tests of the command line share, and the way to call it."""

import os
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from silicon_run import SILICON, TRAIN


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Not the cache of the user."""
    before = os.environ.get("KERAS_FF_CACHE")
    os.environ["KERAS_FF_CACHE"] = str(Path(__file__).parents[2] / ".cache" / f"compiled-{keras.config.backend()}")
    yield
    if before is None:
        del os.environ["KERAS_FF_CACHE"]
    else:
        os.environ["KERAS_FF_CACHE"] = before


@pytest.fixture
def keras_ff(capsys):
    """Call the command line in this process; gives `status`, `out`, `err`."""

    def call(*words):
        from keras_ff_tools.main import main

        capsys.readouterr()
        status = main([str(word) for word in words])
        return SimpleNamespace(status=status, **capsys.readouterr()._asdict())

    return call


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, cache):
    """Folder of a finished run of 6 epochs."""
    from keras_ff_tools.main import main

    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main(["train", "--train", *TRAIN, "--test", f"{SILICON}@11:14", "--epochs", "6", "--out", str(folder)]) == 0
    return folder
