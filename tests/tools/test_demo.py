"""What the demonstration removes and simulates; `make demo` runs all of it."""

import shutil

import pytest

import keras_ff as kff
from keras_ff_tools.demo import molecular_dynamics
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings


def test_a_run_of_something_else_is_kept(run_folder, tmp_path, keras_ff):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    done = keras_ff("demo", "--out", folder)
    assert done.status == 2 and "no demonstration" in done.err and (folder / "best.keras").exists()
    done = keras_ff("demo", "--out", tmp_path / "demo", "--steps", "2")
    assert done.status == 2 and "--steps 10" in done.err and not (tmp_path / "demo").exists()


def test_an_earlier_demonstration_is_removed(run_folder, tmp_path, monkeypatch, keras_ff):
    from keras_ff_tools.run import training

    folder = shutil.copytree(run_folder, tmp_path / "run")
    earlier = Settings(train="/old/Si_train.xyz.gz", test="/old/Si_test.xyz.gz")
    monkeypatch.setattr(RunFolder, "settings", lambda self: earlier)
    seen = []

    def train(settings, out):
        seen.append((settings.minutes, out.exists()))
        raise ValueError("enough")

    monkeypatch.setattr(training, "train", train)
    assert keras_ff("demo", "--out", folder, "--minutes", "3").err.endswith("enough\n")
    assert seen == [(3.0, False)]


@pytest.mark.slow_on_tensorflow
def test_the_simulation_keeps_its_energy():
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    simulation = molecular_dynamics(model, repeat=1, steps=50)
    assert "8 atoms, 50 steps" in simulation["text"]
    assert len(simulation["times"]) == len(simulation["energies"]) == len(simulation["temperatures"]) == 11
    assert max(simulation["energies"]) - min(simulation["energies"]) < 0.05
