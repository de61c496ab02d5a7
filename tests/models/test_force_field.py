"""ForceField: what it predicts, adapts to and learns."""

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import NeuralIL, RepulsiveMorse

pytestmark = pytest.mark.usefixtures("float64")


def neuralil():
    return NeuralIL(["Cu"], cutoff=4.0, n_max=2)


def predict(model, structures, **options):
    data = Dataset(structures, model, shuffle=False, batch_size=len(structures), max_shapes=1, **options)
    return model.predict(data, verbose=0)


def mean_squared_error(y_true, y_pred):
    """Of the labels that are there; float64 throughout, which Keras' own is not on JAX."""
    known = ops.logical_not(ops.isnan(y_true))
    difference = ops.where(known, y_pred - ops.where(known, y_true, 0.0), 0.0)
    return ops.sum(difference**2, axis=-1) / ops.maximum(ops.sum(ops.cast(known, difference.dtype), axis=-1), 1.0)


@pytest.fixture(scope="module")
def structures():
    return copper()


def test_outputs_have_the_keys_and_shapes_of_the_labels(structures):
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=4.0))
    data = Dataset(structures, model, batch_size=3, max_shapes=1)
    inputs, labels = data[0]
    outputs = model.predict(inputs, verbose=0)
    assert {name: value.shape for name, value in outputs.items()} == {name: value.shape for name, value in labels.items()}


def test_a_compressed_repulsive_crystal_pushes_outward():
    """Stress is positive under tension, as in ASE: under pressure it is negative."""
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=4.0))
    stress = predict(model, [bulk("Cu", a=3.3)])["stress"][0]
    assert (stress[:3] < 0).all()
    np.testing.assert_allclose(stress[3:], 0.0, atol=1e-12)


def test_energy_is_the_sum_of_atoms_and_references():
    model = kff.ForceField(RepulsiveMorse(["Cu", "Au"], cutoff=4.0))
    atoms = bulk("CuAu", "rocksalt", a=5.0)
    before = predict(model, [atoms])
    model.reference_energies.assign([-10.0, -1.5])
    after = predict(model, [atoms])
    assert after["energy"][0, 0] == pytest.approx(before["energy"][0, 0] - 11.5, abs=1e-12)
    assert after["energy_per_atom"][0, 0] == pytest.approx(after["energy"][0, 0] / 2, abs=1e-12)
    np.testing.assert_array_equal(after["forces"], before["forces"])


def test_molecules_have_forces_and_no_stress():
    model = kff.ForceField(RepulsiveMorse(["Cu"]))
    outputs = predict(model, [Atoms("Cu2", [[0, 0, 0], [0, 0, 2.0]])])
    assert outputs["forces"][0, 1, 2] > 0 and np.isnan(outputs["stress"]).all()


def test_a_dimer_feels_equal_and_opposite_forces_of_the_formula():
    r, h = 2.0, 1e-5
    model = kff.ForceField(RepulsiveMorse(["Cu"]))
    outputs = predict(model, [Atoms("Cu2", [[0, 0, 0], [0, 0, x]]) for x in (r, r - h, r + h)])
    expected = -(outputs["energy"][2, 0] - outputs["energy"][1, 0]) / (2 * h)
    assert outputs["forces"][0, 1, 2] == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(outputs["forces"][0, 0], -outputs["forces"][0, 1], atol=1e-14)


def test_padding_of_a_batch_changes_nothing():
    """The laws have that of each potential."""
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=4.0))
    small, large = bulk("Cu"), bulk("Cu", cubic=True) * (2, 1, 1)
    small.rattle(0.05, seed=0)
    large.rattle(0.05, seed=1)
    together = predict(model, [small, large])
    alone = predict(model, [small])
    assert together["energy"][0] == pytest.approx(alone["energy"][0], rel=1e-13)
    np.testing.assert_allclose(together["stress"][0], alone["stress"][0], atol=1e-14)
    assert (together["forces"][0, 1:] == 0).all()


def test_float32_agrees_with_float64(structures):
    double = kff.ForceField(neuralil())
    double.reference_energies.assign([-3.7])
    single = kff.astype(double, "float32")
    expected, found = predict(double, structures), predict(single, structures, dtype="float32")
    assert found["energy"].dtype == np.float32
    for name in ("energy", "energy_per_atom", "forces", "stress"):
        assert np.abs(found[name] - expected[name]).max() <= 5e-6 * np.abs(expected[name]).max(), name


@pytest.mark.slow
def test_fit_reduces_the_loss(structures):
    keras.utils.set_random_seed(0)
    model = kff.ForceField(neuralil())
    data = Dataset(structures, model, batch_size=3)
    model.adapt(data)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss={"energy_per_atom": mean_squared_error, "forces": mean_squared_error},
        loss_weights={"energy_per_atom": 10.0, "forces": 1.0},
        jit_compile=True,
    )
    history = model.fit(data, epochs=30, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < 0.3 * history[0]
    evaluated = model.evaluate(data, verbose=0)
    assert np.isfinite(evaluated if np.ndim(evaluated) else [evaluated]).all()


def test_missing_labels_cost_nothing(structures):
    """One structure without forces, and one without anything."""
    bare = structures[0].copy()
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.compile(optimizer="sgd", loss={"energy_per_atom": mean_squared_error, "forces": mean_squared_error})
    model.fit(Dataset([*structures[:2], bare], model, batch_size=3, max_shapes=1), epochs=2, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
