"""Models that go on with other elements, or with other data."""

import keras
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from small_data import copper

import keras_ff as kff
from keras_ff import backend

OPTIONS = {"dtype": "float64"}


def two_elements():
    """Copper with some gold, labelled by what the numbers of atoms and nothing else give."""
    structures = copper(4)
    for number, atoms in enumerate(structures):
        labels = {"energy": -3.0 * (4 - number) - 2.0 * number, "forces": np.zeros((4, 3))}
        atoms.symbols[:number] = "Au"
        atoms.calc = SinglePointCalculator(atoms, **labels)
    return structures


def trained(potential):
    """As after some training: no weight is at its start."""
    model = kff.ForceField(potential, **OPTIONS)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(keras.ops.convert_to_numpy(weight) + 0.1 * rng.normal(size=weight.shape))
    return model


def energy_function(model):
    """From structures to energies in eV, compiled once."""
    function = backend.jit(model.total_energy, layer=model)

    def energies(structures):
        data = kff.data.Dataset(structures, model, batch_size=len(structures), max_shapes=1, shuffle=False)
        return keras.ops.convert_to_numpy(function(data[0][0]))

    return energies


@pytest.mark.slow_on_tensorflow
def test_a_new_element_starts_as_the_twin_of_an_old_one_and_can_become_another(float64):
    filters = kff.layers.SplineFilters(3.5, 2, pairs=2, triplets=(2, 2), **OPTIONS)
    parts = [
        kff.potentials.NeuralIL(["Cu", "Ni"], cutoff=3.5, n_max=1, **OPTIONS),
        kff.potentials.NeuralIL.published(["Cu", "Ni"], cutoff=3.5, n_max=1, **OPTIONS),
        kff.potentials.SplineNetwork(["Cu", "Ni"], filters=filters, **OPTIONS),
    ]
    model = trained(kff.potentials.Sum(parts, **OPTIONS))
    larger = model.with_species({"Au": "Cu"})
    assert larger.species == ["Cu", "Ni", "Au"]
    old, new = copper(3), copper(3)
    for atoms, other in zip(old, new):
        atoms.symbols[1] = other.symbols[1] = "Ni"
        other.symbols[2:] = "Au"
    expected = energy_function(model)(old)
    energies = energy_function(larger)
    np.testing.assert_allclose(energies(old), expected, rtol=1e-10)
    np.testing.assert_allclose(energies(new), expected, rtol=1e-10)
    # What the network gives to the densities of gold alone.
    for part, small in zip(larger.potential.parts[:2], model.potential.parts):
        kernel = part.network.layers[0].kernel
        known, there = (potential.descriptor.n_features for potential in (small, part))
        weights = keras.ops.convert_to_numpy(kernel).copy()
        assert not weights[known:there].any()
        weights[known:there] = 1.0
        kernel.assign(weights)
    np.testing.assert_allclose(energies(old), expected, rtol=1e-10)
    assert (np.abs(energies(new) - expected) > 1e-3).all()


@pytest.mark.slow_on_tensorflow
def test_reference_energies_of_new_elements_follow_the_data_and_the_others_stay(float64):
    model = kff.ForceField(kff.potentials.NeuralIL(["Cu"], cutoff=3.5, n_max=1, **OPTIONS), **OPTIONS)
    model.reference_energies.assign([-5.0])
    model = model.with_species({"Au": "Cu", "Ag": "Cu"})
    np.testing.assert_array_equal(model.reference_energies, [-5.0, -5.0, -5.0])
    model.potential.slope.assign(0.0)
    model.fit_reference_energies(kff.data.Dataset(two_elements(), model))
    np.testing.assert_allclose(model.reference_energies, [-3.0, -2.0, -5.0], atol=1e-6)


def test_frozen_weights_stay_and_others_have_rates_of_their_own_also_in_the_file(tmp_path):
    model = kff.ForceField(kff.potentials.NeuralIL(["Cu"], cutoff=3.5, n_max=1))
    network = model.potential.network
    network.layers[0].trainable = False
    model.potential.slope.trainable = False
    rates = keras.optimizers.OptimizerMap(keras.optimizers.SGD(1e-2), {model.potential.elements.path: keras.optimizers.SGD(0.0)})
    model.compile(keras.optimizers.MultiOptimizer(rates), loss={"energy": kff.losses.MSE()})
    data = kff.data.Dataset(copper(4), model, batch_size=4, max_shapes=1)

    def step():
        before = [keras.ops.convert_to_numpy(weight).copy() for weight in model.weights]
        model.fit(data, epochs=1, verbose=0)
        moved = {w.path for w, old in zip(model.weights, before) if not np.array_equal(keras.ops.convert_to_numpy(w), old)}
        return {w.path for w in model.weights if w.path in moved}

    grown = model.with_species({"Au": "Cu"})
    moved = step()
    # A copy has arrays of its own, which the training of the other does not consume.
    assert all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in grown.weights)
    still = {weight.path for weight in (*network.layers[0].weights, model.potential.slope, model.potential.elements)}
    assert moved and not moved & still and network.linear.kernel.path in moved
    model.save(tmp_path / "model.keras")
    loaded = kff.load(tmp_path / "model.keras")
    assert [weight.trainable for weight in loaded.weights] == [weight.trainable for weight in model.weights]
    assert not loaded.potential.network.layers[0].kernel.trainable
    assert [v.path for v in loaded.optimizer.variables] and isinstance(loaded.optimizer, keras.optimizers.MultiOptimizer)


def test_twins_have_to_be_known_and_new_elements_new():
    model = kff.ForceField(kff.potentials.NeuralIL(["Cu"], cutoff=3.5, n_max=1))
    for twins in ({}, {"Cu": "Cu"}, {"Au": "Ag"}):
        with pytest.raises(ValueError, match="elements that are new"):
            model.with_species(twins)
    with pytest.raises(NotImplementedError, match="StillingerWeber takes no new elements"):
        kff.ForceField(kff.potentials.StillingerWeber.silicon()).with_species({"Ge": "Si"})
