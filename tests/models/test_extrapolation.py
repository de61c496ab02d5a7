"""Extrapolation: grades of environments inside and outside of a training set, in files and in simulations."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.interfaces.watch import Extrapolating, Watch
from keras_ff.models import extrapolation_grades, learn_extrapolation
from keras_ff.potentials import ZBL, NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


def trained(model):
    learn_extrapolation(model, Dataset(copper(12), model, batch_size=12))
    return model


@pytest.fixture(scope="module")
def model():
    kff.enable_float64()
    return trained(kff.ForceField(NeuralIL(["Cu", "Au"], cutoff=3.5, n_max=1)))


def grades(model, structures):
    batch, _ = Dataset(structures, model, batch_size=len(structures), shuffle=False, max_shapes=1)[0]
    return {name: np.asarray(values) for name, values in extrapolation_grades(model)(batch).items()}


@pytest.mark.slow_on_tensorflow
def test_thresholds_are_quantiles_of_the_training_set():
    model = trained(kff.Ensemble(NeuralIL(["Cu", "Au"], cutoff=3.5, n_max=1, members=2)))
    found = grades(model, copper(12))
    assert set(found) == {"distance", "spread"}
    for values in found.values():
        # The quantile 0.99 of twelve is between the two largest.
        assert np.sum(values.max(axis=1) > 1) == 1 and values.max() < 1.5


@pytest.mark.slow_on_tensorflow
def test_compressed_and_foreign_environments_are_beyond_and_padding_is_not(model):
    compressed, foreign, known = copper(3, seed=1)
    for atoms in (compressed, foreign):
        atoms.calc = None
    compressed.set_cell(0.8 * compressed.cell, scale_atoms=True)
    foreign.symbols[0] = "Au"
    found = grades(model, [compressed, foreign, known, bulk("Cu", a=3.6)])["distance"]
    assert (found[:3].max(axis=1) > 1).tolist() == [True, True, False]
    assert found[3, 1:].max() == 0.0


@pytest.mark.slow_on_tensorflow
def test_what_is_known_is_saved_with_the_model(model, tmp_path):
    model.save(tmp_path / "model.keras")
    copy = kff.load(tmp_path / "model.keras")
    structures = copper(2, seed=3)
    for name, values in grades(model, structures).items():
        np.testing.assert_allclose(grades(copy, structures)[name], values, rtol=1e-12)


def test_a_model_without_thresholds_or_descriptors_says_so():
    with pytest.raises(ValueError, match="learn_extrapolation"):
        extrapolation_grades(kff.ForceField(NeuralIL(["Cu"], n_max=1)))
    classical = kff.ForceField(ZBL(["Cu"]))
    with pytest.raises(ValueError, match="no descriptors"):
        learn_extrapolation(classical, Dataset(copper(1), classical))
    with pytest.raises(ValueError, match="quantile=2"):
        learn_extrapolation(classical, Dataset(copper(1), classical), quantile=2)


@pytest.mark.slow_on_tensorflow
def test_a_simulation_that_leaves_the_training_set_is_noticed(model):
    atoms = copper(1, seed=1)[0]
    atoms.calc = kff.Calculator(model)
    watch = Watch(atoms, "collect")
    watch()
    assert watch.grades[0] <= 1 and not watch.collected
    atoms.set_cell(0.8 * atoms.cell, scale_atoms=True)
    dynamics = VelocityVerlet(atoms, 0.1 * units.fs)
    dynamics.attach(watch)
    dynamics.run(2)
    assert len(watch.collected) == 3 and watch.collected[0].arrays["extrapolation"].max() == watch.grades[1] > 1
    watch.action, watch.grades = "warn", [0.5]
    with pytest.warns(UserWarning, match="extrapolates: the distance of atom"):
        watch()
    watch.action = "stop"
    with pytest.raises(Extrapolating, match="threshold"):
        watch()
    with pytest.raises(ValueError, match="'shout'"):
        Watch(atoms, "shout")


def test_dynamics_looks_after_each_loop_and_warns_once(model):
    """An atom far hotter than the rattled crystals of the training set."""
    atoms = copper(1, seed=2)[0]
    velocities = np.zeros((len(atoms), 3))
    velocities[0, 0] = 0.3
    atoms.set_velocities(velocities)
    dynamics = kff.simulation.Dynamics(model, atoms, kff.simulation.NVE(), timestep=0.5)
    with pytest.warns(UserWarning, match="extrapolates after .* fs: the distance of atom .* times its threshold") as caught:
        dynamics.run(200, every=0, verbose=0)
    assert len(dynamics.grades) == 2 and max(dynamics.grades) > 1
    assert len([one for one in caught if "extrapolates" in str(one.message)]) == 1
