"""`keras-ff train` with each potential, from settings in a file, with old data, and with parts that stay as they are."""

import re
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from silicon_run import SILICON

import keras_ff as kff
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.potentials import POTENTIALS

PARAMETERS = Path(__file__).parents[1] / "potentials" / "files" / "Si.sw"
DATA = ["--train", f"{SILICON}@0:6", "--valid", f"{SILICON}@6:8", "--max-shapes", "1", "--epochs", "2"]
QUARTZ = Path(__file__).parents[1] / "potentials" / "files" / "bks_quartz.xyz.gz"


def weights(path):
    return [keras.ops.convert_to_numpy(weight.value) for weight in kff.load(path).weights]


@pytest.mark.slow_on_tensorflow
def test_settings_of_a_run_make_the_same_run_again(run_folder, tmp_path, keras_ff):
    done = keras_ff("train", "--config", run_folder / "config.yaml", "--out", tmp_path / "again")
    assert done.status == 0, done.err
    assert (tmp_path / "again" / "config.yaml").read_text() == (run_folder / "config.yaml").read_text()
    # TensorFlow adds in several threads, not always in the same order.
    rounding = 1e-5 if keras.config.backend() == "tensorflow" else 0
    for one, other in zip(weights(tmp_path / "again" / "best.keras"), weights(run_folder / "best.keras"), strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding)


@pytest.mark.slow_on_tensorflow
def test_a_parameter_file_is_trained_and_the_run_needs_it_no_more(tmp_path, keras_ff, monkeypatch):
    file, run = tmp_path / "Si.sw", tmp_path / "run"
    shutil.copy(PARAMETERS, file)

    def interrupt(self, epoch, values, add=kff.training.CSVLog.add):
        add(self, epoch, values)
        raise KeyboardInterrupt

    words = ["train", *DATA, "--potential", file, "--train-parameters", "A,lam", "--learning-rate", "0.01", "--out", run]
    with monkeypatch.context() as patched:
        patched.setattr(kff.training.CSVLog, "add", interrupt)
        assert keras_ff(*words).status == 130
    file.unlink()
    done = keras_ff("train", "--resume", run)
    assert done.status == 0 and "StillingerWeber for Si" in done.out and "(2 numbers); frozen: " in done.out, done.err
    before, after = (potential.parameters() for potential in (kff.potentials.StillingerWeber.silicon(), kff.load(run).potential))
    assert {name for name in before if not np.allclose(before[name], after[name], rtol=1e-6)} == {"A", "lam"}
    # The zero of energy is that of the data.
    assert keras.ops.convert_to_numpy(kff.load(run).reference_energies).all()
    (run / "potential.sw").write_text("")
    refused = keras_ff("train", "--resume", run)
    assert refused.status == 2 and "potential.sw is another model or gone" in refused.err


@pytest.mark.slow_on_tensorflow
def test_old_data_are_mixed_in_counted_and_measured_and_frozen_parts_stay(run_folder, tmp_path, keras_ff):
    run = tmp_path / "run"
    words = ["--start", run_folder, "--train", f"{SILICON}@8:12", "--replay", f"{SILICON}@0:6", "--valid-fraction", "0.3"]
    done = keras_ff("train", *words, "--max-shapes", "1", "--epochs", "1", "--freeze", "network,scale", "--out", run)
    assert done.status == 0, done.err
    sentence = "6 structures of the old data: 4 in the training set beside 3 new ones, 2 in the validation set"
    assert f"replay      {sentence}" in done.out and "frozen: " in done.out and "network, " in done.out
    assert f"Errors on {sentence}, before and after the training: energy" in (run / "report.html").read_text(encoding="utf-8")
    assert RunFolder(run).data()["sets"]["replay"]["structures"] == 6
    before, after = (kff.load(path).potential.parts[0] for path in (run_folder, run))
    before, after = (
        [keras.ops.convert_to_numpy(weight) for weight in (one.network.linear.kernel, one.slope, one.elements)]
        for one in (before, after)
    )
    assert [np.array_equal(one, other) for one, other in zip(before, after)] == [True, True, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--replay", "old.xyz"], "--replay without --start"),
        (["--freeze", "netwrk"], "Received --freeze netwrk. Did you mean 'network'"),
        (["--potential", "nowhere.sw"], "nowhere.sw"),
        (["--members", "3", "--potential", "edip"], "--members is no option of edip"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--log", "wandb"], "pip install wandb"),
        (["--log", "tensorbord"], "'wandb' or 'mlflow'"),
    ],
)
def test_what_contradicts_is_one_sentence_and_leaves_nothing(words, message, tmp_path, keras_ff, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    done = keras_ff("train", "--train", f"{SILICON}@0:4", *words)
    assert done.status == 2 and re.search(message, done.err), done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", POTENTIALS)
def test_every_potential_is_trained_and_is_a_model(name, tmp_path, keras_ff):
    data = [f"{QUARTZ}@0:4" if name == "bks" else f"{SILICON}@0:6"]
    done = keras_ff("train", "--train", *data, "--max-shapes", "1", "--epochs", "3", "--potential", name, "--out", tmp_path / "run")
    assert done.status == 0, done.err
    assert POTENTIALS[name].name in done.out and kff.load(tmp_path / "run").species
    resumed = keras_ff("train", "--resume", tmp_path / "run")
    assert resumed.status == 0, resumed.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["neuralil", "spline-network"])
def test_a_committee_is_trained_and_trained_further(name, tmp_path, keras_ff):
    words = ["--potential", name, "--members", "2", "--cutoff", "4", "--out", tmp_path / "first"]
    done = keras_ff("train", *DATA, *words)
    assert done.status == 0 and "committee of 2" in done.out, done.err
    again = keras_ff("train", *DATA, "--start", tmp_path / "first", "--out", tmp_path / "second")
    assert again.status == 0 and kff.load(tmp_path / "second").members == 2, again.err
