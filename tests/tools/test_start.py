"""`keras-ff train --start`: saved models of any kind are trained further."""

import re

import keras
import numpy as np
import pytest
from silicon_run import SILICON

import keras_ff as kff
from keras_ff_tools.run.folder import RunFolder

DATA = ["--train", f"{SILICON}@0:8", "--valid", f"{SILICON}@8:11", "--max-shapes", "1", "--epochs", "3"]


def weights(path):
    return [keras.ops.convert_to_numpy(weight.value) for weight in kff.load(path).weights]


@pytest.fixture(scope="module")
def classical(tmp_path_factory):
    """Stillinger-Weber silicon with two parameters to train, in a file."""
    path = tmp_path_factory.mktemp("classical") / "silicon.keras"
    kff.ForceField(kff.potentials.StillingerWeber.silicon(train=["epsilon", "lam"])).save(path)
    return path


@pytest.fixture(scope="module")
def classical_run(classical, tmp_path_factory):
    """Folder of a finished run that starts from it."""
    from keras_ff_tools.main import main

    folder = tmp_path_factory.mktemp("runs") / "classical"
    assert main(["train", *DATA, "--start", str(classical), "--adapt", "--learning-rate", "0.01", "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow_on_tensorflow
def test_a_classical_potential_is_trained_and_reported(classical, classical_run, keras_ff):
    before, after = (kff.load(path).potential.parameters() for path in (classical, classical_run / "best.keras"))
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"epsilon", "lam"}
    log = (classical_run / "log.csv").read_text().splitlines()
    assert len(log) == 4
    assert "StillingerWeber for Si" in (classical_run / "report.html").read_text(encoding="utf-8")
    told = keras_ff("info", classical_run)
    assert told.status == 0 and "StillingerWeber" in told.out and str(classical) in told.out
    evaluated = keras_ff("evaluate", classical_run, f"{SILICON}@11:14")
    assert evaluated.status == 0 and "meV/atom" in evaluated.out


@pytest.mark.slow_on_tensorflow
def test_an_interrupted_run_resumes_to_the_same_weights_though_its_start_is_gone(
    classical, classical_run, tmp_path, keras_ff, monkeypatch
):
    start, folder = tmp_path / "start.keras", tmp_path / "interrupted"
    start.write_bytes(classical.read_bytes())

    def interrupt(self, epoch, values, add=kff.training.CSVLog.add):
        add(self, epoch, values)
        if epoch == 2:
            raise KeyboardInterrupt

    # After the line of the second epoch, and before its state. The process is killed in test_train.py.
    with monkeypatch.context() as patched:
        patched.setattr(kff.training.CSVLog, "add", interrupt)
        words = ["train", *DATA, "--start", start, "--adapt", "--learning-rate", "0.01", "--out", folder]
        interrupted = keras_ff(*words)
        assert interrupted.status == 130 and f"keras-ff train --resume {folder}" in interrupted.err
    start.unlink()
    resumed = keras_ff("train", "--resume", folder)
    assert resumed.status == 0 and "Continuing after epoch 1" in resumed.out, resumed.err
    # TensorFlow adds in several threads, not always in the same order: a run once differed by one rounding.
    rounding = 1e-6 if keras.config.backend() == "tensorflow" else 0
    for name in ("best.keras", "last.keras"):
        for one, other in zip(weights(folder / name), weights(classical_run / name), strict=True):
            np.testing.assert_allclose(one, other, rtol=rounding, atol=0)


@pytest.mark.slow_on_tensorflow
def test_a_trained_network_continues_from_its_weights(run_folder, tmp_path, keras_ff):
    words = ["--start", run_folder, "--train", f"{SILICON}@0:8", "--valid", f"{SILICON}@8:11", "--max-shapes", "1"]
    done = keras_ff("train", *words, "--epochs", "2", "--learning-rate", "1e-12", "--out", tmp_path / "run")
    assert done.status == 0 and "reference energies as they are" in done.out, done.err
    for one, other in zip(weights(run_folder / "best.keras"), weights(tmp_path / "run" / "last.keras"), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
def test_a_committee_is_trained_further_and_forgets_its_calibration(tmp_path, keras_ff):
    model = kff.Ensemble(kff.potentials.NeuralIL(["Si"], members=2, cutoff=3.5, n_max=1), bootstrap=0)
    model.calibration = {"energy_per_atom": kff.models.Scaling(2.0)}
    model.save(tmp_path / "committee.keras")
    done = keras_ff("train", *DATA, "--start", tmp_path / "committee.keras", "--adapt", "--out", tmp_path / "run")
    assert done.status == 0 and "NeuralIL, committee of 2 for Si" in done.out, done.err
    trained = kff.load(tmp_path / "run" / "best.keras")
    assert trained.members == 2 and trained.bootstrap == 0 and not trained.calibration
    assert RunFolder(tmp_path / "run").settings().cutoff is None


def test_a_model_without_anything_to_train_is_refused(tmp_path, keras_ff):
    kff.ForceField(kff.potentials.StillingerWeber.silicon(train=False)).save(tmp_path / "fixed.keras")
    done = keras_ff("train", *DATA, "--start", tmp_path / "fixed.keras", "--out", tmp_path / "run")
    assert done.status == 2 and "nothing to train" in done.err and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "a.keras", "--cutoff", "4"], "keeps the potential, species, cutoff.*--cutoff with --start a.keras"),
        (["--start", "a.keras", "--species", "Si", "--n-max", "4"], "--species, --n-max"),
        (["--adapt"], "--adapt without --start"),
        (["--start", "nowhere.keras"], "no model file nowhere.keras"),
    ],
)
def test_contradictions_are_one_sentence_and_leave_nothing(words, message, tmp_path, keras_ff, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = keras_ff("train", "--train", f"{SILICON}@0:4", *words)
    assert done.status == 2 and re.search(message, done.err), done.err
    assert not list(tmp_path.iterdir())
