"""Picking: uncertain, unlike what is known, unlike each other."""

import numpy as np
import pytest
from ase import Atoms
from small_data import copper

import keras_ff as kff
from keras_ff.active import pick, scores, uncertainty
from keras_ff.data import Dataset
from keras_ff.potentials import NeuralIL


@pytest.fixture(scope="module")
def model():
    model = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=3))
    model.adapt(Dataset(copper(6), model, max_shapes=1))
    return model


@pytest.mark.slow_on_tensorflow
def test_uncertainty_is_the_spread_that_the_calculator_has(model):
    structures = [*copper(3), *copper(1, seed=5)]
    structures[1] = structures[1][:-2]
    calculator = kff.Calculator(model)
    found = uncertainty(model, structures)
    for atoms, of_forces, of_energy in zip(structures, found["forces"], found["energy_per_atom"]):
        atoms.calc = calculator
        atoms.get_forces()
        np.testing.assert_allclose(of_forces, np.sqrt(np.mean(atoms.calc.results["forces_std"] ** 2)), rtol=1e-4)
        np.testing.assert_allclose(of_energy, atoms.calc.results["energy_std"] / len(atoms), rtol=1e-3)
    expected = [np.hypot(*(values[place] / values.mean() for values in found.values())) for place in range(4)]
    np.testing.assert_allclose(scores(found), expected)


def test_a_copy_of_a_known_or_picked_structure_comes_last(model):
    first, second, third = copper(3)
    places = pick(model, [first, second, second.copy(), third], [first], 4, worth=[1.0, 0.9, 0.9, 0.1])
    assert places[:2] == [1, 3] and sorted(places) == [0, 1, 2, 3]


def test_of_structures_equally_far_the_one_worth_most_is_picked(model):
    first, second = copper(2)
    assert [pick(model, [first, second], [], 1, worth)[0] for worth in ([1.0, 2.0], [2.0, 1.0])] == [1, 0]


def test_a_broken_pool_is_named(model):
    with pytest.raises(ValueError, match="pool is empty"):
        pick(model, [], [], 1, [])
    with pytest.raises(ValueError, match="ase.Atoms with positions. Received str at index 1"):
        pick(model, [*copper(1), "Cu4"], [], 1, [1.0, 1.0])
    lost = Atoms("Cu2", positions=[[0, 0, 0], [np.nan, 0, 0]])
    with pytest.raises(ValueError, match="Candidate 0, Cu2, has no positions"):
        pick(model, [lost], [], 1, [1.0])
    with pytest.raises(ValueError, match="at least 1. Received count=0"):
        pick(model, copper(1), [], 0, [1.0])
    with pytest.raises(ValueError, match="Ensemble. Received a ForceField"):
        uncertainty(kff.ForceField(NeuralIL(["Cu"], cutoff=3.5, n_max=1)), copper(1))
    with pytest.raises(ValueError, match="Each candidate needs a number"):
        pick(model, copper(2), [], 1, [1.0])
