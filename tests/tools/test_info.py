import hashlib
import subprocess
import sys

import pytest
from silicon_run import SILICON


def test_model(run_folder, keras_ff):
    done = keras_ff("info", run_folder / "best.keras")
    assert done.status == 0, done.err
    assert "NeuralIL" in done.out and "3.5 Å" in done.out and "float32" in done.out
    assert hashlib.sha256((run_folder / "best.keras").read_bytes()).hexdigest() in done.out


@pytest.mark.slow_on_tensorflow
def test_the_command_line_and_the_model_of_a_run_work_in_a_process_of_their_own(run_folder, tmp_path):
    """The model is saved again, on JAX without the import of TensorFlow."""
    lines = [
        "import runpy, sys",
        "import keras_ff as kff",
        f"model = kff.load({str(run_folder / 'best.keras')!r})",
        "assert model.species == ['Si']",
        f"model.save({str(tmp_path / 'model.keras')!r})",
        "assert kff.backend.backend_name() == 'tensorflow' or 'tensorflow' not in sys.modules",
        f"sys.argv = ['keras-ff', 'info', {str(run_folder)!r}]",
        "runpy.run_module('keras_ff_tools.main', run_name='__main__')",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == 0 and "NeuralIL" in done.stdout, done.stderr[-500:]


def test_run(run_folder, keras_ff):
    done = keras_ff("info", run_folder)
    assert done.status == 0, done.err
    assert "6, best val_loss" in done.out and "learning_rate" in done.out and "keras_ff" in done.out


def test_data(keras_ff):
    done = keras_ff("info", SILICON, "--cutoff", "4")
    assert done.status == 0, done.err
    assert "within 4 Å" in done.out and "nothing suspicious" in done.out


def test_nothing_there(keras_ff):
    for name in ("nowhere.keras", "nowhere.xyz"):
        done = keras_ff("info", name)
        assert done.status == 2 and name in done.err
