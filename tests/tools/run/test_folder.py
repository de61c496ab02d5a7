"""Folders of runs."""

import json
import re
import shutil
from pathlib import Path

import keras
import pytest
from silicon_run import SILICON

from keras_ff_tools.run.config import write_config
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings


def test_a_run_folder_of_an_older_version_is_still_read(tmp_path):
    old = Settings(train=str(SILICON)).to_dict()
    for name in ("start", "adapt", "potential", "core", "freeze", "log", "replay"):
        del old[name]
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(old))
    assert RunFolder(tmp_path).exists and RunFolder(tmp_path).settings() == Settings(train=str(SILICON), core="none")
    file.write_text(json.dumps({**old, "future": 1}))
    with pytest.raises(ValueError, match="settings.json, line 1: .*'future' is not known to this version"):
        RunFolder(tmp_path).settings()


def test_run_folder_holds_all_that_a_run_is(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    assert {"config.yaml", "versions.json", "data.json", "log.csv", "tensorboard", "state", "best.keras", "last.keras"} <= names
    assert {"plots", "report.html", "errors_test.csv", "structures_test.csv"} <= names
    settings = RunFolder(run_folder).settings()
    assert settings.species == ("Si",) and settings.epochs == 6 and settings.backend == keras.config.backend()
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


def test_changed_settings_are_no_resumption_but_a_longer_run_is(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(Settings(train=str(SILICON)), {})
    kept = folder.settings()
    for change in ({"epochs": 200}, {"backend": "tensorflow"}, {"devices": 2}):
        write_config(folder.settings_file, kept.replaced(**change))
        folder.check_job()
    write_config(folder.settings_file, kept.replaced(cutoff=4.0, forces_weight=2.0))
    with pytest.raises(ValueError, match="began with other settings.*cutoff: 5.0 then, 4.0 now; forces_weight: 1.0 then, 2.0 now"):
        folder.check_job()


def test_another_starting_model_is_no_resumption(tmp_path):
    (tmp_path / "silicon.keras").write_bytes(b"one")
    folder = RunFolder(tmp_path / "run")
    folder.create(Settings(train=str(SILICON), start=str(tmp_path / "silicon.keras")), {})
    folder.check_job()
    folder.start.write_bytes(b"other")
    with pytest.raises(ValueError, match="start.keras is another model or gone"):
        folder.check_job()


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "3", "\x00\x00", '{"epochs": "ten", "measured": 0}'])
def test_damaged_files_of_a_run_are_named(tmp_path, content, keras_ff):
    folder = RunFolder(tmp_path)
    for file, read in ((folder.plan_file, folder.plan), (folder.data_file, folder.data), (folder.settings_file, folder.settings)):
        file.write_text(content)
        with pytest.raises(ValueError, match=file.name):
            read()
    done = keras_ff("train", "--resume", tmp_path)
    assert done.status == 2 and "config.yaml" in done.err and "Error" not in done.err


def test_a_run_in_use_is_refused(tmp_path, keras_ff):
    RunFolder(tmp_path).create(Settings(train=str(SILICON)), {})
    (tmp_path / "in_use.lock").write_text('{"host": "node-7", "process": 12, "since": "yesterday"}')
    done = keras_ff("train", "--resume", tmp_path)
    assert done.status == 2 and "in use by process 12 on node-7" in done.err and "remove" in done.err
