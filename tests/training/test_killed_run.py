import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import keras_ff
from keras_ff.training import event_file

SCRIPT = Path(__file__).with_name("killed_run.py")


def start(folder, *point):
    package = Path(keras_ff.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *point],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return output


def saved_variables(path):
    with zipfile.ZipFile(path) as archive, h5py.File(archive.open("model.weights.h5")) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found


def steps_and_values(path):
    """Events without their time of writing."""
    return [record[12 + 9 : -4] for record in event_file.read(path, before=10**6)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(start(folder))
    return folder


def check_same(folder, expected):
    ours, theirs = (json.loads((path / "result.json").read_text()) for path in (folder, expected))
    assert ours["epochs"] == theirs["epochs"] == list(range(7))
    # repr: NaN (no stress in the labels) equals NaN.
    assert repr(ours["history"]) == repr(theirs["history"])
    assert ours["variables"] == theirs["variables"]
    assert ours["optimizer"] == theirs["optimizer"]
    assert (folder / "log.csv").read_text() == (expected / "log.csv").read_text()
    for part in ("train", "validation"):
        name = f"tensorboard/{part}/events.out.tfevents.0.keras_ff"
        assert steps_and_values(folder / name) == steps_and_values(expected / name)
    ours, theirs = (saved_variables(path / "best.keras") for path in (folder, expected))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_the_uninterrupted_one(uninterrupted, tmp_path):
    # Before the first state takes its name, while the second is written, and in the middle of an epoch.
    for point in ("replace 4", "written 11", "batch 7"):
        process = start(tmp_path, point)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL, errors[-3000:]
    # From outside, whatever it is doing.
    process = start(tmp_path)
    first = process.stdout.readline()
    assert first == "begin\n", process.communicate()[1][-3000:]
    assert "Continuing after epoch" in process.stdout.readline()
    time.sleep(1.0)
    process.kill()
    process.communicate()
    assert "Continuing after epoch" in finish(start(tmp_path))
    check_same(tmp_path, uninterrupted)
