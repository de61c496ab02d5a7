"""Committees: means and spreads, members that learn as they would alone, files, calibration."""

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from keras import ops
from small_data import copper

import keras_ff as kff
from keras_ff import backend
from keras_ff.compiled import compiled
from keras_ff.data import Dataset
from keras_ff.data.bootstrap import bootstrap_counts
from keras_ff.layers import SplineFilters
from keras_ff.models import Scaling, joined, member
from keras_ff.potentials import ZBL, NeuralIL, SplineNetwork, Sum

pytestmark = pytest.mark.usefixtures("float64")

MEMBERS = 3


def neuralil(members=MEMBERS, seed=0):
    return NeuralIL(["Cu", "Au"], cutoff=3.5, n_max=1, members=members, seed=seed)


def on_filters(members=MEMBERS, seed=0):
    filters = SplineFilters(3.5, n_species=2, pairs=3, triplets=(2, 2), degree=2)
    return Sum([SplineNetwork(["Cu", "Au"], filters=filters, members=members, seed=seed), ZBL(["Cu", "Au"])])


def alloys():
    structures = copper(4)
    for atoms in structures:
        atoms.calc = None
        atoms.symbols[1] = "Au"
    # A molecule has no stress, and leaves room in the batch.
    structures[3] = Atoms("CuAuCu", [[0, 0, 0], [2.1, 0.2, 0], [0, 2.2, 0.4]])
    return structures


def outputs(model, structures=None):
    batch, _ = Dataset(structures or alloys(), model, batch_size=4, shuffle=False, max_shapes=1)[0]
    found = compiled(model, type(model).__call__)(batch)
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("potential", [neuralil, pytest.param(on_filters, marks=pytest.mark.slow)])
def test_outputs_are_means_and_spreads_of_what_single_models_with_the_seeds_give(potential):
    """Member m has the weights of a model with the seed m from the start, and those that `member` takes out."""
    ensemble = kff.Ensemble(potential())
    ensemble.reference_energies.assign([-3.0, -2.0])
    singles = [member(ensemble, index) for index in range(MEMBERS)]
    fresh = potential(None, seed=2)
    for weight, expected in zip(singles[2].potential.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), ops.convert_to_numpy(expected))
    again = joined(singles)
    for weight, expected in zip(again.weights, ensemble.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), ops.convert_to_numpy(expected))
    found, each = outputs(ensemble), []
    for single in singles:
        # What is compiled for one serves for all.
        singles[0].set_weights(single.get_weights())
        each.append(outputs(singles[0]))
    each = {name: np.stack([one[name] for one in each]) for name in each[0]}
    for name in ("energy", "energy_per_atom", "forces", "stress"):
        np.testing.assert_allclose(found[name], each[name].mean(axis=0), rtol=1e-11, atol=1e-11)
    for name in ("energy", "energy_per_atom", "stress"):
        np.testing.assert_allclose(found[f"{name}_std"], each[name].std(axis=0, ddof=1), rtol=1e-8, atol=1e-12)
    variance = each["forces"].var(axis=0, ddof=1).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(found["forces_std"], np.sqrt(variance), rtol=1e-8, atol=1e-12)
    assert found["forces_std"][3, 3:].max() == 0.0 and np.isnan(found["stress_std"][3]).all()


@pytest.mark.slow_on_tensorflow
def test_a_member_of_an_ensemble_learns_what_it_learns_alone():
    """To the last digits, after steps of Adam on energies, lengths of force errors, and missing labels."""
    structures = copper(3)
    structures[1].calc = None
    trained = []
    for model in (kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2)), kff.ForceField(NeuralIL(["Cu"], 3.5, 1, seed=1))):
        data = Dataset(structures, model, batch_size=3, max_shapes=1)
        model.adapt(data)
        model.compile(
            optimizer=keras.optimizers.Adam(3e-3),
            loss={"energy_per_atom": kff.losses.LogCosh(50.0), "forces": kff.losses.ForceNorm(kff.losses.LogCosh(5.0))},
            metrics=kff.training.default_metrics(["forces"]),
            jit_compile=backend.backend_name() == "jax",
        )
        history = model.fit(data, epochs=3, verbose=0).history
        assert np.isfinite(history["forces_mae"]).all()
        trained.append(model)
    for found, expected in zip(member(trained[0], 1).weights, trained[1].weights, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_a_deep_ensemble_learns_the_sizes_of_its_errors():
    """In compiled steps, from labels with known noise that depends on the element, with a fixed repulsion beside the networks."""
    rng, structures = np.random.default_rng(0), copper(60)
    for atoms in structures:
        forces = atoms.get_forces()
        atoms.symbols[[1, 2]] = "Au"
        noise = np.where(atoms.symbols == "Au", 0.5, 0.05)[:, None] * rng.normal(size=forces.shape)
        atoms.calc = SinglePointCalculator(atoms, forces=forces + noise)
    potential = Sum([NeuralIL(["Cu", "Au"], cutoff=4.0, n_max=2, members=2, learned_noise=True), ZBL(["Cu", "Au"])])
    model = kff.Ensemble(potential)
    data = Dataset(structures, model, batch_size=10, max_shapes=1)
    model.adapt(data)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss={"forces": kff.losses.GaussianNLL()}, jit_compile=True)
    history = model.fit(data, epochs=150, validation_data=data, verbose=0).history
    assert np.isfinite(history["val_loss"]).all() and history["loss"][-1] < history["loss"][0]
    found = model.predict(data, verbose=0)["forces_std"][:, :, 0]
    gold = np.array([atoms.symbols == "Au" for atoms in structures])
    assert np.median(found[gold]) == pytest.approx(0.5, rel=0.3) and np.median(found[~gold]) < 0.15


def test_variances_need_their_loss_and_a_committee():
    model = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2, learned_noise=True))
    assert len(member(model, 1).weights) == len(member(kff.Ensemble(NeuralIL(["Cu"], 3.5, 1, members=2)), 1).weights)
    with pytest.raises(ValueError, match="GaussianNLL.*learned_noise=True"):
        model.compile(loss={"forces": kff.losses.MSE()})
    with pytest.raises(ValueError, match="learned_noise=False"):
        kff.Ensemble(neuralil()).compile(loss={"forces": kff.losses.GaussianNLL()})
    with pytest.raises(ValueError, match="needs a committee"):
        NeuralIL(["Cu"], learned_noise=True)


def test_with_a_bootstrap_members_learn_from_samples_that_the_seed_decides():
    model = kff.Ensemble(neuralil(), bootstrap=7)
    data = Dataset(alloys(), model, batch_size=4, max_shapes=1)
    counts = data[0][0]["counts"]
    expected = np.array([bootstrap_counts(7, index, MEMBERS) for index in data.indices(0)])
    np.testing.assert_array_equal(counts, expected)
    weights = ops.convert_to_numpy(model._sample_weights(data[0][0], None))
    np.testing.assert_array_equal(weights.reshape(MEMBERS, 4), counts.T)
    with pytest.raises(ValueError, match="needs `counts`"):
        model._sample_weights({}, None)


def test_an_ensemble_needs_members():
    for potential in (neuralil(None), neuralil(1), ZBL(["Cu"])):
        with pytest.raises(ValueError, match="two or more members.* Received .* with members="):
            kff.Ensemble(potential)


@pytest.mark.slow_on_tensorflow
def test_calibrated_numbers_are_saved_and_refused_before_calibration(tmp_path):
    model = kff.Ensemble(neuralil(), bootstrap=1)
    data = Dataset(copper(4), model, batch_size=2, max_shapes=1)
    with pytest.raises(ValueError, match="calibrate"):
        model.calibrated("forces of Cu", 0.1)
    with pytest.raises(ValueError, match="calibrate"):
        kff.Calculator(model, calibrated=True)
    with pytest.raises(ValueError, match="no labels"):
        model.calibrate(Dataset(alloys(), model))
    model.calibrate(data, Scaling)
    spread, error = model.spread_and_error(data)["forces"]
    assert len(spread) == 16
    expected = model.calibrated("forces", spread, np.zeros(16, int))
    assert np.mean(expected**2) == pytest.approx(np.mean(error**2), rel=1e-10)
    with pytest.raises(ValueError, match="forces of Au are not calibrated"):
        model.calibrated("forces", spread, np.ones(16, int))
    model.save(tmp_path / "model.keras")
    copy = kff.load(tmp_path / "model.keras")
    assert copy.calibration == model.calibration and copy.get_config() == model.get_config()
    assert set(copy.calibration) == {"energy_per_atom", "forces of Cu", "stress"}


@pytest.mark.slow_on_tensorflow
def test_the_calculator_has_the_spreads():
    model = kff.Ensemble(neuralil())
    atoms = alloys()[0]
    expected = outputs(model, [atoms])
    atoms.calc = kff.Calculator(model)
    assert atoms.get_potential_energy() == pytest.approx(expected["energy"][0, 0], rel=1e-12)
    results = atoms.calc.results
    np.testing.assert_allclose(results["forces_std"], expected["forces_std"][0, :, 0], rtol=1e-9)
    np.testing.assert_allclose(results["stress_std"], expected["stress_std"][0], rtol=1e-9)
    assert results["energy_std"] == pytest.approx(expected["energy_std"][0, 0], rel=1e-9)
    model.calibration |= {"forces of Cu": Scaling(2.0), "forces of Au": Scaling(3.0)}
    atoms.calc = kff.Calculator(model, calibrated=True)
    atoms.get_forces()
    np.testing.assert_allclose(atoms.calc.results["forces_std"], [2, 3, 2, 2] * expected["forces_std"][0, :, 0], rtol=1e-9)
    assert "stress_std" not in atoms.calc.results


def test_it_learns_from_batches_that_differ_in_the_number_of_neighbors_alone():
    structures = []
    for index, constant in enumerate((5.43, 4.7, 5.43, 4.7)):
        crystal = bulk("Si", cubic=True, a=constant)
        crystal.rattle(0.03, seed=index)
        crystal.calc = SinglePointCalculator(crystal, energy=-34.0, forces=np.zeros((8, 3)))
        structures.append(crystal)
    model = kff.Ensemble(NeuralIL(["Si"], cutoff=4.0, n_max=1, members=2))
    data = Dataset(structures, model, batch_size=2)
    assert len({shape[1] for shape in data.shapes}) == 1 < len({shape[2] for shape in data.shapes})
    model.adapt(data)
    model.compile("adam", loss={"forces": "mse"})
    assert np.isfinite(model.fit(data, epochs=1, verbose=0).history["loss"]).all()
