"""The path of the CPU of the benchmark of a GPU."""

import numpy as np
import pytest


@pytest.mark.slow_on_tensorflow
def test_speed_measures_molecular_dynamics_with_the_lists_of_a_device(rows, monkeypatch):
    from keras_ff_tools.benchmarks import gpu

    gpu.speed(sizes=[2], kinds=["Stillinger-Weber"], each=0.01)
    card, speed = rows()
    assert card.startswith("| card") and "64 atoms" in speed and "atom-steps/s" in speed and "a list" in speed


@pytest.mark.slow
def test_numbers_of_all_potentials_are_compared_with_those_of_the_cpu(rows, monkeypatch):
    from keras_ff_tools.benchmarks import gpu

    monkeypatch.setattr(gpu, "ALLOWED", {"float32": 3e-5})
    gpu.correct()
    (row,) = rows()
    assert "8 potentials in float32" in row and "equal" in row


@pytest.mark.slow_on_tensorflow
def test_the_numbers_of_a_model_are_its_energies_forces_stress_and_gradient(tmp_path, monkeypatch):
    from keras_ff_tools.benchmarks import gpu

    monkeypatch.setattr(gpu, "PRESETS", {"silicon_stillinger_weber": "Si"})
    gpu.numbers(tmp_path / "numbers.npz", "float64")
    found = np.load(tmp_path / "numbers.npz")
    names = [
        f"{name} {key}" for name in ("silicon_stillinger_weber", "s-MEAM") for key in ("energies", "forces", "stress", "training")
    ]
    assert sorted(found.files) == sorted(names)
    assert all(np.isfinite(found[name]).all() and found[name].dtype == np.float64 for name in names)
    assert np.abs(found["s-MEAM training"]).max() > 0 and found["s-MEAM forces"].shape == (1, 216, 3)
