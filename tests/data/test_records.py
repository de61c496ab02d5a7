import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from keras_ff.data.records import near_the_cell, structure_record


def test_only_atoms_far_away_are_moved():
    atoms = bulk("Si", cubic=True)
    atoms.positions[0] -= 0.1
    np.testing.assert_array_equal(near_the_cell(atoms), atoms.positions)
    atoms.positions[0] += 5 * atoms.cell[:].sum(axis=0)
    moved = near_the_cell(atoms)
    assert (np.abs(atoms.cell.scaled_positions(moved)) <= 1.0).all()
    atoms.pbc = False
    np.testing.assert_array_equal(near_the_cell(atoms), atoms.positions)


def test_directions_that_do_not_repeat_have_no_cell_vector():
    chain = Atoms("H", [[20, 30, 40]], cell=[1.0, 0, 0], pbc=[True, False, False])
    record = structure_record(chain, 0, 2.5)
    assert record["cell"].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert record["positions"].tolist() == [[0, 30, 40]]
    assert sorted(record["S"][:, 0].tolist()) == [-2, -1, 1, 2]


def test_a_broken_structure_is_named():
    with pytest.raises(ValueError, match=r"Structure 7 \(H2\): .*on top of each other"):
        structure_record(Atoms("H2"), 7, 2.5)
