"""A small trained run that the tests of the command line share, and the way to call it."""

from types import SimpleNamespace

import pytest
from silicon_run import SILICON, TRAIN


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
def run_folder(tmp_path_factory):
    """Folder of a finished run of 6 epochs."""
    from keras_ff_tools.main import main

    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main(["train", "--train", *TRAIN, "--test", f"{SILICON}@11:14", "--epochs", "6", "--out", str(folder)]) == 0
    return folder
