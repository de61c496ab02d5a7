import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list as reference_list

from keras_ff.data.geometry_checks import periodic_volume
from keras_ff.data.neighbors import dense, neighbor_list

CELL = np.array([[10.0, 1.0, 0.0], [0.0, 9.0, 2.0], [1.0, 0.0, 11.0]])


def sorted_rows(i, j, S):
    rows = np.column_stack([i, j, S]).astype(int)
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("pbc", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("wrapped", [True, False])
def test_pairs_are_those_of_ase(pbc, scale, wrapped):
    generator = np.random.default_rng(0)
    positions = generator.random((12, 3)) @ CELL * scale
    if not wrapped:
        positions += generator.integers(-3, 4, (12, 3)) @ CELL * scale
    atoms = Atoms("Si12", positions=positions, cell=CELL * scale, pbc=pbc)
    np.testing.assert_array_equal(sorted_rows(*neighbor_list(atoms, 4.0)), sorted_rows(*reference_list("ijS", atoms, 4.0)))
    atoms.cell[~atoms.pbc] = 0.0
    np.testing.assert_array_equal(sorted_rows(*neighbor_list(atoms, 4.0)), sorted_rows(*reference_list("ijS", atoms, 4.0)))


def test_pairs_are_sorted_and_the_same_each_time():
    atoms = bulk("Si", cubic=True) * 5
    atoms.rattle(0.1, seed=0)
    first, second = neighbor_list(atoms, 5.0), neighbor_list(atoms, 5.0)
    assert (np.diff(first[0]) >= 0).all()
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


def test_an_atom_sees_its_own_images():
    i, j, S = neighbor_list(bulk("Cu"), 2.6)
    assert len(i) == 12 and not i.any() and not j.any() and S.any(axis=1).all()


def test_dense_rows_hold_every_pair_and_nothing_else():
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.3, seed=1)
    i, j, S = neighbor_list(atoms, 4.0)
    neighbors, shifts = dense(i, j, S @ atoms.cell[:], n_atoms=70, n_neighbors=40)
    assert neighbors.shape == (70, 40) and shifts.shape == (70, 40, 3)
    rows, columns = np.nonzero(neighbors >= 0)
    np.testing.assert_array_equal(rows, i)
    np.testing.assert_array_equal(neighbors[rows, columns], j)
    np.testing.assert_array_equal(shifts[rows, columns], S @ atoms.cell[:])
    assert not shifts[neighbors < 0].any()


def test_dense_keeps_the_dtype_of_the_shifts():
    assert dense(np.array([0]), np.array([0]), np.ones((1, 3), np.float32), 1, 1)[1].dtype == np.float32


def test_a_neighbor_too_many_is_an_error_that_says_what_to_raise():
    i, j, S = neighbor_list(bulk("Si"), 2.5)
    with pytest.raises(ValueError, match="Raise n_neighbors to 4"):
        dense(i, j, S, n_atoms=2, n_neighbors=3)
    with pytest.raises(ValueError, match="Raise n_atoms to 2"):
        dense(i, j, S, n_atoms=1, n_neighbors=4)


def test_no_neighbors():
    i, j, S = neighbor_list(Atoms("Ar"), 5.0)
    assert len(i) == 0
    neighbors, shifts = dense(i, j, S, 1, 2)
    assert (neighbors == -1).all() and not shifts.any()
    assert neighbor_list(Atoms(), 5.0)[2].shape == (0, 3)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_a_cutoff_is_positive(cutoff):
    with pytest.raises(ValueError, match="cutoff"):
        neighbor_list(molecule("H2O"), cutoff)


def test_broken_geometry_is_an_error():
    atoms = bulk("Si")
    atoms.positions[1, 2] = np.nan
    with pytest.raises(ValueError, match="position of atom 1"):
        neighbor_list(atoms, 3.0)
    with pytest.raises(ValueError, match="no volume"):
        neighbor_list(Atoms("Si", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), 3.0)
    with pytest.raises(ValueError, match="no volume"):
        neighbor_list(Atoms("Si", pbc=[True, False, False]), 3.0)
    neighbor_list(Atoms("Si", cell=[[3, 0, 0], [3, 0, 0], [0, 0, 0]], pbc=[True, False, False]), 3.0)


def test_volume_area_and_length():
    assert periodic_volume(np.diag([2.0, 3.0, 5.0]), [True, True, True]) == pytest.approx(30.0)
    assert periodic_volume(np.diag([2.0, 3.0, 0.0]), [True, True, False]) == pytest.approx(6.0)
    assert periodic_volume(np.zeros((3, 3)), [False] * 3) == 1.0


@pytest.mark.parametrize("pbc", [(False, False, False), (True, False, False), (True, True, False), (True, True, True)])
def test_sparse_structures_are_searched_by_a_tree(monkeypatch, pbc):
    from keras_ff.data import neighbors

    used = []
    original = neighbors._pairs_by_tree
    monkeypatch.setattr(neighbors, "_pairs_by_tree", lambda *args: used.append(1) or original(*args))
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=0)
    cell = atoms.cell.array.copy()
    cell[1] += [1.0, 0.0, 0.5]
    cell[2] *= 1e6
    cell[~np.array(pbc)] = 0.0
    atoms = Atoms(atoms.symbols, atoms.positions + [0.0, 0.0, 3.0e6], cell=cell, pbc=pbc)
    far = atoms.copy()
    far.positions[-1, 2] += 1e6
    for one in (atoms, far):
        found = sorted_rows(*neighbor_list(one, 4.0))
        # Without the distance, a grid does it.
        near = one.copy()
        near.positions[:, 2] -= 3.0e6
        if one is far:
            near.positions[-1, 2] -= 1e6 - 1e3
        small = near.cell.array.copy()
        small[2] /= 1e4
        near.set_cell(small)
        vectors = lambda atoms, i, j, S: atoms.positions[j] - atoms.positions[i] + S @ atoms.cell.array  # noqa: E731
        i, j, S = neighbor_list(one, 4.0)
        expected = neighbor_list(near, 4.0)
        assert len(found) == len(expected[0]) > 0
        for rows in zip(sorted(map(tuple, vectors(one, i, j, S).round(3))), sorted(map(tuple, vectors(near, *expected).round(3)))):
            np.testing.assert_allclose(*rows, atol=3e-3)
    assert used
