import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from silicon_run import SILICON, TRAIN

import keras_ff as kff
from keras_ff_tools.run.folder import RunFolder


def weights(path):
    return [keras.ops.convert_to_numpy(weight.value) for weight in kff.load(path).weights]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Options that train a pair potential, which is compiled in less time than a network."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.keras"
    kff.ForceField(kff.potentials.RepulsiveMorse(["Si"], cutoff=3.5)).save(path)
    return ["--start", path, "--max-shapes", "1"]


def test_report_needs_no_network(run_folder):
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 4
    assert not re.search(r'src="(?!data:)', page)
    links = re.findall(r'href="(?!data:)([^"]*)"', page)
    assert "log.csv" in links and all((run_folder / link).is_file() for link in links)
    # A run of a few steps says so, and which model it delivers.
    assert "Warning: the training had" in page and "too few for a network to converge" in page
    assert "Delivered is the model of" in page


@pytest.mark.slow_on_tensorflow
def test_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(run_folder, tmp_path, keras_ff):
    folder = tmp_path / "killed"
    program = [sys.executable, str(Path(__file__).parent / "killed_training.py"), "3"]
    words = ["train", "--train", *TRAIN, "--test", f"{SILICON}@11:14", "--epochs", "6", "--out", str(folder)]
    done = subprocess.run([*program, *words], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == -9, done.stderr
    # The log has the third epoch, the state does not: the epoch is repeated, and appears once.
    assert not (folder / "last.keras").exists()
    resumed = keras_ff("train", "--resume", folder)
    assert resumed.status == 0 and "Continuing after epoch 2" in resumed.out, resumed.err
    for name in ("best.keras", "last.keras"):
        for one, other in zip(weights(folder / name), weights(run_folder / name), strict=True):
            np.testing.assert_array_equal(one, other)
    assert (folder / "log.csv").read_text() == (run_folder / "log.csv").read_text()


@pytest.mark.slow
@pytest.mark.skipif(keras.config.backend() != "jax", reason="the environment gives virtual devices to JAX alone")
def test_a_killed_run_on_two_devices_ends_like_one_on_a_single_device(run_folder, tmp_path):
    folder = tmp_path / "two"
    words = ["train", "--train", *TRAIN, "--test", f"{SILICON}@11:14", "--epochs", "6", "--out", str(folder), "--devices", "2"]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags}
    program = [sys.executable, str(Path(__file__).parent / "killed_training.py"), "3"]
    done = subprocess.run([*program, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == -9, done.stderr
    command = [sys.executable, "-m", "keras_ff_tools.main", "train", "--resume", str(folder)]
    resumed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert resumed.returncode == 0 and "Continuing after epoch 2" in resumed.stdout, resumed.stderr
    logs = [np.genfromtxt(path / "log.csv", delimiter=",", names=True) for path in (folder, run_folder)]
    np.testing.assert_allclose(logs[0]["loss"], logs[1]["loss"], rtol=1e-3)


@pytest.mark.slow_on_tensorflow
def test_minutes_are_planned_and_kept(pairs, tmp_path, keras_ff):
    done = keras_ff("train", "--train", *TRAIN[:3], *pairs, "--minutes", "0.1", "--out", tmp_path / "run")
    assert done.status == 0, done.err
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    lines = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert len(lines) - 1 == plan["epochs"]
    assert f"{plan['epochs']}/{plan['epochs']}" in done.out


def test_run_is_not_overwritten(run_folder, keras_ff):
    done = keras_ff("train", "--train", *TRAIN, "--out", run_folder)
    assert done.status == 2 and "holds a run already" in done.err and "--resume" in done.err


def test_resume_keeps_settings(run_folder, keras_ff):
    done = keras_ff("train", "--resume", run_folder, "--cutoff", "4")
    assert done.status == 2 and "--cutoff" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train", "nowhere.xyz"], r"no file, folder or glob pattern 'nowhere.xyz'"),
        ([], r"nothing to train on.*--train"),
        (["--train", f"{SILICON}@0:4", "--species", "Ge"], r"training set.*does not know: \['Si'\]"),
        (["--train", f"{SILICON}@0:4", "--forces-key", "F_dft"], r"F_dft.*--forces-key"),
        (["--train", f"{SILICON}@0:4", "--cutoff", "-1"], r"cutoff.*Received cutoff=-1"),
        (["--train", f"{SILICON}@0:4", "--n-max", "-1"], r"n_max"),
        (["--train", f"{SILICON}@0:4", "--dtype", "float16"], r"float16"),
        (["--train", f"{SILICON}@0:4", "--batch-size", "0"], r"batch_size"),
        (["--train", f"{SILICON}@0:1"], r"1 structure is too few.*--valid-fraction 0"),
        (["--train", f"{SILICON}@0:4", "--energy-weight", "0", "--forces-weight", "0"], r"nothing to learn"),
        (["--resume", "nowhere"], r"no run in nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(words, message, tmp_path, keras_ff, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = keras_ff("train", *words)
    assert done.status == 2
    assert re.search(message, done.err, re.DOTALL), done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_labels_that_are_nowhere_are_an_error(tmp_path, keras_ff):
    from ase.io import read, write

    structures = read(SILICON, "0:4")
    for atoms in structures:
        atoms.calc = None
        atoms.info["energy"] = -5.0 * len(atoms)
    write(tmp_path / "energies.xyz", structures)
    done = keras_ff("train", "--train", tmp_path / "energies.xyz", "--out", tmp_path / "run")
    assert done.status == 2 and "'forces'" in done.err and "--forces-weight 0" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow_on_tensorflow
def test_weights_of_types_are_settings_of_the_run_and_reported(pairs, keras_ff, tmp_path):
    import ase.io

    data, run = tmp_path / "typed.xyz", tmp_path / "run"
    structures = ase.io.read(SILICON, ":6")
    for number, atoms in enumerate(structures):
        atoms.info["config_type"] = "odd" if number % 2 else "even"
    ase.io.write(data, structures)
    options = ("train", "--train", data, "--valid", f"{SILICON}@8:10", *pairs, "--epochs", "1", "--out", run)
    wrong = keras_ff(*options, "--config-type-weights", "{'strange': 2}")
    assert wrong.status == 2 and "No structure has one of the types ['strange']" in wrong.err and not run.exists()
    wrong = keras_ff(*options, "--config-type-weights", "odd: 2")
    assert wrong.status == 2 and "a dict from config_type to weight" in wrong.err
    done = keras_ff(*options, "--config-type-weights", '{"Default": 1.0, "odd": 0.25}')
    assert done.status == 0 and "weights     3 structures with other weights than 1, from 0.25 to 1" in done.out
    assert RunFolder(run).settings().config_type_weights == {"Default": 1.0, "odd": 0.25}
    assert "3 structures with other weights than 1" in (run / "report.html").read_text()
    resumed = keras_ff("train", "--resume", run)
    assert resumed.status == 0 and "3 structures with other weights than 1" in resumed.out


@pytest.mark.slow_on_tensorflow
def test_a_training_that_diverges_ends_with_a_sentence_and_status_1(pairs, keras_ff, tmp_path):
    run = tmp_path / "run"
    result = keras_ff("train", "--train", *TRAIN[:3], *pairs, "--epochs", "3", "--learning-rate", "1e30", "--out", run)
    assert result.status == 1
    assert (
        "structures" in result.err and "The model has the weights of before epoch" in result.err and "Traceback" not in result.err
    )
