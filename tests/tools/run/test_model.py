"""Models that a run begins with."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from silicon_run import SILICON

import keras_ff as kff
from keras_ff.models.files import model_file
from keras_ff_tools.run.model import adapt, compile_model, kind, new_model, saved_model
from keras_ff_tools.run.settings import Settings


def test_a_new_model_in_float64_leaves_the_default_of_the_process():
    settings = Settings(train="data.xyz", species=["Si"], cutoff=3.5, n_max=1, dtype="float64")
    model, _ = new_model(settings, [bulk("Si")])
    compile_model(model, settings, {"energy": 1, "forces": 1, "stress": 0})
    assert {weight.dtype for weight in model.weights} == {model.optimizer.learning_rate.dtype} == {"float64"}
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")


def test_a_deep_ensemble_learns_from_the_likelihood(tmp_path):
    model = kff.Ensemble(kff.potentials.NeuralIL(["Si"], members=2, cutoff=3.5, n_max=1, learned_noise=True))
    model.save(tmp_path / "deep.keras")
    settings = Settings(train="data.xyz", start=tmp_path / "deep.keras", stress_weight=1.0)
    model = saved_model(settings.start, settings)
    compile_model(model, settings, {"energy": 1, "forces": 1, "stress": 1})
    assert kind(model) == "NeuralIL, committee of 2"
    with pytest.raises(ValueError, match="energy_p.*50"):
        saved_model(settings.start, settings.replaced(energy_p=50.0))


def test_adapt_gives_a_classical_potential_the_zero_of_the_data():
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon(train=["lam"]))
    data = kff.data.Dataset(kff.data.read(f"{SILICON}@0:3"), model, batch_size=4)
    adapt(model, data)
    labels = [kff.data.labels(atoms)["energy"] / len(atoms) for atoms in data.structures]
    found = model.predict(data, verbose=0)["energy_per_atom"][:, 0]
    assert np.mean(found - labels) == pytest.approx(0.0, abs=0.05)


def test_a_classical_preset_starts_with_the_parameters_that_are_named():
    settings = Settings(train="data.xyz", start="preset:silicon_stillinger_weber", train_parameters="A,lam")
    model = saved_model(model_file(settings.start), settings)
    assert sorted(weight.name for weight in model.trainable_weights) == ["A", "lam"] and model.compute_dtype == "float64"
    with pytest.raises(ValueError, match="The parameters of NeuralIL are not chosen by name.*Received --train-parameters A"):
        saved_model(model_file("preset:silicon_mlearn"), settings)
