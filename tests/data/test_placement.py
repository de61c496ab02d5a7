"""Where a structure lies in space."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from keras_ff.data.batches import Batcher
from keras_ff.data.placement import Placement, placements


def of(atoms):
    return Placement.of(atoms.positions, atoms.cell.array, atoms.pbc)


def test_only_atoms_far_away_are_moved():
    atoms = bulk("Si", cubic=True)
    atoms.positions[0] -= 0.1
    np.testing.assert_array_equal(of(atoms).near(atoms.positions, atoms.cell.array), atoms.positions)
    atoms.positions[0] += 5 * atoms.cell[:].sum(axis=0)
    placement = of(atoms)
    near = placement.near(atoms.positions, atoms.cell.array)
    assert (np.abs(atoms.cell.scaled_positions(near)) <= 1.0).all()
    np.testing.assert_allclose(placement.restored(near, atoms.cell.array), atoms.positions, atol=1e-13)
    # A cell that has changed takes the images along.
    np.testing.assert_allclose(placement.restored(1.1 * near, 1.1 * atoms.cell.array), 1.1 * atoms.positions, atol=1e-12)
    atoms.pbc = False
    np.testing.assert_array_equal(of(atoms).near(atoms.positions, atoms.cell.array), atoms.positions)


def test_crystals_that_stay_where_they_are_are_told_from_all_others_at_once():
    crystal = bulk("Si", cubic=True)
    crystal.set_cell(crystal.cell.array @ [[1.0, 0.4, 0.0], [0.0, 1.0, -0.3], [0.0, 0.0, -1.0]], scale_atoms=True)
    beside, beyond, slab, flat, broken = (crystal.copy() for _ in range(5))
    beside.positions[1] -= crystal.cell.array.sum(axis=0)
    beyond.positions[0] += 2.0 * crystal.cell.array[1]
    slab.pbc[2] = flat.cell[2] = 0.0
    broken.positions[3] = np.nan
    structures = [crystal, Atoms(), beside, beyond, slab, flat, broken, crystal] * 50
    found = list(placements(structures))
    assert [placement is not None for placement in found] == [True, False, True, False, False, False, False, True] * 50
    for atoms, placement in zip(structures, found):
        assert placement is None or all(map(np.array_equal, placement, of(atoms)))


@pytest.mark.parametrize("pbc", [(False, False, False), (True, False, False), (True, True, False), (True, True, True)])
@pytest.mark.parametrize("shift", [1e3, 1e5])
def test_a_structure_elsewhere_comes_near_the_origin(pbc, shift):
    atoms = bulk("Si", cubic=True)
    atoms.pbc = pbc
    cell = atoms.cell.array.copy()
    cell[0] += [0.0, 0.3, -0.4]
    atoms.set_cell(cell)
    away = atoms.copy()
    away.positions += [shift, -shift, 0.5 * shift]
    near = of(away).near(away.positions, cell)
    assert np.abs(near).max() < 20.0
    batcher = Batcher(["Si"], 4.0)
    here, there = batcher.record(atoms), batcher.record(away)
    # The same pairs, though images and origin may differ.
    assert len(here["i"]) == len(there["i"]) and here["distance"] == pytest.approx(there["distance"], abs=1e-9)


def test_directions_that_do_not_repeat_have_no_cell_vector_in_a_batch():
    chain = Atoms("H", [[20, 30, 40]], cell=[[1.0, 0, 0], [0, 7, 0], [0, 0, 8]], pbc=[True, False, False])
    batcher = Batcher(["H"], 2.5)
    record = batcher.record(chain)
    assert record["cell"].tolist() == chain.cell.array.tolist()
    assert record["positions"].tolist() == [[0, 30, 40]]
    assert sorted(record["S"][:, 0].tolist()) == [-2, -1, 1, 2]
    assert batcher.batch([record])["cell"][0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
