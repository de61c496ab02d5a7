"""Structures far from all others: they are named, and count less if asked for."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.data import check
from keras_ff.data.outliers import energy_excess, outlier_weights
from keras_ff.data.weights import all_weights, multiplied


def crystals():
    """Two elements; every sixth structure is of a strongly compressed equation of state, an isolated atom is last."""
    rng, structures = np.random.default_rng(0), []
    for index in range(60):
        numbers = [49, 15] * (1 + index % 3) + [15] * (index % 2)
        atoms = Atoms(numbers, np.arange(3 * len(numbers)).reshape(-1, 3), cell=[40, 40, 40], pbc=True)
        eos = index % 6 == 0
        energy = -2.7 * numbers.count(49) - 5.4 * numbers.count(15) + rng.normal(0, 0.05) + (10.0 + index) * len(numbers) * eos
        forces = rng.normal(0, 1.0, (len(numbers), 3))
        forces[0, 0] = 300.0 if index == 7 else forces[0, 0]
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info["group"] = "EOS" if eos else "bulk"
        structures.append(atoms)
    return [*structures, Atoms("P", info={"energy": -0.1})]


def test_outliers_do_not_hide_each_other_and_are_named():
    structures = crystals()
    excess, limit = energy_excess(structures, np.array([*[one.get_potential_energy() for one in structures[:-1]], -0.1]))
    assert np.flatnonzero(np.abs(excess) > limit).tolist() == list(range(0, 60, 6)) and np.isnan(excess[-1])
    assert np.abs(excess[0] - 10.0) < 0.2 and limit == 1.0
    (text,) = [doubt for doubt in check(structures) if "far from those of all other structures" in doubt]
    assert (
        text.startswith("10 energies") and "up to +64" in text and "structures 54, 48, 42" in text and "(10 of group EOS)" in text
    )


def test_weights_fall_as_the_square_beyond_the_limits_of_energies_and_forces():
    structures = crystals()
    weights = outlier_weights(structures)
    assert np.flatnonzero(weights < 1).tolist() == sorted([7, *range(0, 60, 6)])
    np.testing.assert_allclose(weights[0], 0.01, rtol=0.05)
    highest = np.median([np.linalg.norm(one.get_forces(), axis=1).max() for one in structures[:-1]])
    np.testing.assert_allclose(
        weights[7], (20 * highest / np.linalg.norm(structures[7].get_forces(), axis=1).max()) ** 2, rtol=1e-9
    )
    weighed = multiplied(structures, weights)
    np.testing.assert_allclose(all_weights(weighed)[:, 0], weights)
    assert "config_weight" not in structures[0].info
