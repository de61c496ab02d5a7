"""Work that is killed at random moments and started again loses nothing and leaves no half-written file."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_ff as kff
from keras_ff.data import CachedStructures, read
from keras_ff.files.state import read_state
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.training import RunState

pytestmark = pytest.mark.slow

KILLS = 20
SCRIPT = Path(__file__).with_name("killed_work.py")


@pytest.fixture(scope="module")
def server():
    words = [sys.executable, str(SCRIPT)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def run(server, work, folder, seconds=None):
    """Begin the work in a process, which is killed after so many seconds; True if it was, and did not end before."""
    server.stdin.write(f"{work} {folder}\n")
    server.stdin.flush()
    process = int(server.stdout.readline())
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    status = int(server.stdout.readline())
    assert status in (0, -signal.SIGKILL), (folder / "output.txt").read_text()[-3000:]
    return status != 0


def killed(server, work, tmp_path, check):
    """Kill the work until it has died `KILLS` times, going on to a new folder when it is done; all folders are finished."""
    begin = time.monotonic()
    run(server, work, tmp_path)  # Compiles.
    first = tmp_path / "0"
    first.mkdir()
    began = time.monotonic()
    run(server, work, first)
    seconds = time.monotonic() - began
    moments, folders, kills = random.Random(f"{work} 16"), [first], 0
    while kills < KILLS:
        folders.append(tmp_path / str(len(folders)))
        folders[-1].mkdir()
        dies = True
        while dies:
            # All moments of the work come; later ones are rare, as a continued work has less to do.
            dies = run(server, work, folders[-1], seconds * moments.random() if kills < KILLS else None)
            kills += dies
            check(folders[-1])
    print(f"\n{work}: {kills} kills, {len(folders) - 1} works, {seconds:.1f} s for one, {time.monotonic() - begin:.0f} s together")
    for folder in folders:
        assert not [path for path in folder.rglob("*") if ".part" in path.name or path.name.endswith(".lock")], folder
    return folders


def results(folders):
    return [json.loads((folder / "result.json").read_text()) for folder in folders]


def test_train(server, tmp_path):
    def check(folder):
        for path in (folder / "run").glob("[!.]*.keras"):
            kff.load(path)
        newest = RunState(folder / "run" / "state")._read()[1]
        assert newest is None or all(np.isfinite(values).all() for values in newest["model"])

    first, *others = killed(server, "train", tmp_path, check)
    for folder in others:
        assert (folder / "run" / "log.csv").read_text() == (first / "run" / "log.csv").read_text()
        for name in ("best.keras", "last.keras"):
            one, other = (kff.load(path / "run" / name).get_weights() for path in (folder, first))
            # TensorFlow may add in another order.
            tolerance = 0.0 if keras.config.backend() == "jax" else 1e-5
            for mine, theirs in zip(one, other, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def test_convert(server, tmp_path):
    counts = set()

    def check(folder):
        if (folder / "data.h5").exists():
            cache = CachedStructures(folder / "data.h5")
            counts.add(len([cache.record(index) for index in range(len(cache))]))
        if (folder / "data.xyz").exists():
            counts.add(len(read(folder / "data.xyz")))
        assert len(counts) <= 1

    killed(server, "convert", tmp_path, check)


def test_export(server, tmp_path):
    def check(folder):
        if (folder / "artifact").exists():
            ArtifactCalculator(folder / "artifact")

    killed(server, "export", tmp_path, check)


def test_fit(server, tmp_path):
    best = {}

    def check(folder):
        if (folder / "fit" / "best.keras").exists():
            kff.load(folder / "fit" / "best.keras")
        state = folder / "fit" / "fit.state"
        if state.exists():
            total = read_state(state)["losses"]["total"]
            assert total <= best.get(folder, np.inf) * (1 + 1e-5)
            best[folder] = total

    first, *others = results(killed(server, "fit", tmp_path, check))
    assert all(other <= first * 1.01 for other in others)


def test_active(server, tmp_path):
    def check(folder):
        for path in folder.rglob("model.keras"):
            kff.load(path)
        for path in folder.rglob("[!.]*.xyz"):
            assert len(read(path)) in (1, 2)

    first, *others = results(killed(server, "active", tmp_path, check))
    for other in others:
        for one, known in zip(other, first, strict=True):
            np.testing.assert_allclose(one[0], known[0], atol=1e-7)
            assert one[1] == pytest.approx(known[1], abs=1e-6)
