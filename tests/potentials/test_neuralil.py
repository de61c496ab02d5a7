"""NeuralIL: the laws, for one and for four elements; what `adapt` does; refused arguments."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from lammps_reference import energies_of

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
