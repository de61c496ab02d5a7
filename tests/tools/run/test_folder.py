"""Folders of runs."""

import json
import re
import shutil
from pathlib import Path

import keras
import pytest
from silicon_run import SILICON

from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings


def test_a_run_folder_of_an_older_version_is_still_read(tmp_path):
    old = Settings(train=str(SILICON)).to_dict()
    for name in ("start", "adapt"):
        del old[name]
    folder = RunFolder(tmp_path)
    folder.settings_file.write_text(json.dumps(old))
    assert folder.settings() == Settings(train=str(SILICON))
    folder.settings_file.write_text(json.dumps({**old, "future": 1}))
    with pytest.raises(ValueError, match="cannot be used.*'future' is not known to this version"):
        folder.settings()


def test_run_folder_holds_all_that_a_run_is(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    assert {"settings.json", "versions.json", "data.json", "log.csv", "tensorboard", "state", "best.keras", "last.keras"} <= names
    assert {"plots", "report.html", "errors_test.csv", "structures_test.csv"} <= names
    settings = json.loads((run_folder / "settings.json").read_text())
    assert settings["species"] == ["Si"] and settings["epochs"] == 6 and settings["backend"] == keras.config.backend()
    assert len((run_folder / "log.csv").read_text().splitlines()) == 7
    [(file, checksum)] = json.loads((run_folder / "data.json").read_text())["sha256"].items()
    assert Path(file) == SILICON and re.fullmatch("[0-9a-f]{64}", checksum)


def test_changed_data_is_no_resumption(tmp_path, keras_ff):
    data = tmp_path / "data.xyz"
    shutil.copy(SILICON, data)
    folder = tmp_path / "run"
    RunFolder(folder).create(Settings(train=data), {})
    data.write_text(data.read_text() + "\n")
    done = keras_ff("train", "--resume", folder)
    assert done.status == 2 and "has changed since" in done.err and str(data) in done.err
    data.unlink()
    done = keras_ff("train", "--resume", folder)
    assert done.status == 2 and "not there any more" in done.err
