"""NeuralIL: the laws, for one and for four elements; its sizes, and many elements."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from lammps_reference import energies_of

import keras_ff as kff
from keras_ff.layers import MLP, PowerSpectrum
from keras_ff.potentials import NeuralIL
from keras_ff.testing import check_potential

pytestmark = pytest.mark.usefixtures("float64")

# Ethylammonium nitrate in miniature: four elements, bonds of real lengths.
FOUR_ELEMENTS = Atoms(
    "CHNO",
    [[0.0, 0.0, 0.0], [1.1, 0.1, 0.0], [-0.3, 1.4, 0.2], [-0.6, 2.0, 1.3]],
    cell=[4.5, 4.8, 5.1],
    pbc=True,
)


@pytest.mark.slow
def test_laws_for_one_element():
    check_potential(NeuralIL(["Si"], cutoff=4.0, n_max=2), bulk("Si", cubic=True), smoothness=2)


@pytest.mark.slow_on_tensorflow
def test_laws_of_the_published_model_for_four_elements():
    """With a narrower and flatter network and fewer orders: what is compiled grows with them."""
    descriptor = PowerSpectrum(3.5, 1, n_species=4)
    network = MLP(descriptor.n_features + 2, units=(8, 4))
    check_potential(NeuralIL(["C", "H", "N", "O"], descriptor=descriptor, network=network), FOUR_ELEMENTS, smoothness=2)


def test_the_same_seed_gives_the_same_weights():
    first, same, other = (NeuralIL(["Si"], n_max=2, seed=seed).get_weights() for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


def test_elements_are_told_apart():
    potential = NeuralIL(["C", "Si"], cutoff=3.0, n_max=2)
    carbon, silicon = energies_of(potential, [Atoms("C"), Atoms("Si")])
    assert abs(carbon - silicon) > 1e-6


@pytest.mark.parametrize(
    ("size", "species", "features", "units"),
    [
        ("fast", ["Si"], 40, (16, 16)),
        (None, ["Si"], 91, (16, 16)),
        (None, ["Si", "O"], 322, (64, 64)),
        ("accurate", ["Si"], 164, (64, 64)),
    ],
)
def test_a_size_has_its_descriptor_and_its_widths(size, species, features, units):
    potential = NeuralIL(species, size=size)
    assert (potential.descriptor.n_features, potential.network.units) == (features, units)


def test_a_size_that_is_none_or_contradicts_a_descriptor_is_refused():
    with pytest.raises(ValueError, match="one of fast, default, accurate. Received size='huge'"):
        NeuralIL(["Si"], size="huge")
    with pytest.raises(ValueError, match="size"):
        NeuralIL(["Si"], size="fast", descriptor=PowerSpectrum(4.0, 2))


def test_twenty_elements_are_trained():
    species, rng = chemical_symbols[1:21], np.random.default_rng(0)
    structures = []
    for _ in range(4):
        atoms = Atoms(rng.permutation(species)[:10], rng.uniform(0, 4.5, size=(10, 3)))
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=rng.normal(size=(10, 3)))
        structures.append(atoms)
    model = kff.ForceField(NeuralIL(species, cutoff=3.0, n_max=1, units=(4,)))
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1)
    mixing = np.array(model.potential.descriptor.mixing)
    model.compile("adam", loss={"forces": "mse"})
    losses = model.fit(data, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    # Also the weights of elements in the mixtures.
    assert np.abs(np.array(model.potential.descriptor.mixing) - mixing).max() > 1e-4
