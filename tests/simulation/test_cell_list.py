"""The compiled search for neighbors, beside that of vesin."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from keras_ff import backend
from keras_ff.data import neighbor_list
from keras_ff.simulation.cell_list import MOST_TURNS, Grid, Sizes, fits, neighbor_rows, reverse_places

REACH = 4.1


def rattled(atoms, seed=0):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=seed)
    return atoms


def random_crystal(seed):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) + 3.5 * np.eye(3)
    n = int(rng.integers(1, 9))
    return Atoms(f"Si{n}", rng.uniform(-1.5, 1.5, (n, 3)) @ cell, cell=cell, pbc=rng.random(3) < 0.7)


STRUCTURES = {
    "primitive cell": bulk("Si"),
    "crystal": rattled(bulk("Si", cubic=True) * (3, 2, 4)),
    "slab": rattled(fcc111("Cu", (3, 3, 4), vacuum=8.0)),
    "molecule": molecule("C60"),
    "wire": Atoms("Cu3", [[0, 0, 0], [0.1, 2.2, 0.3], [500.0, 0, 0]], cell=[0, 5.0, 0], pbc=[False, True, False]),
    "one atom": Atoms("Si", cell=[20.0] * 3, pbc=True),
    "needle": Atoms("Si2", [[0, 0, 0], [1.0, 1.0, 40.0]], cell=[2.2, 2.4, 80.0], pbc=True),
    **{f"random {seed}": random_crystal(seed) for seed in range(6)},
}


# Those that are drawn at random compile for one backend.
ONE = pytest.mark.slow_on_tensorflow


def listed(atoms, sizes=None):
    """Rows and needs of a structure, and the sizes that they are made with."""
    cell = np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)
    grid = Grid.of(atoms.positions, cell, atoms.pbc, REACH)
    if sizes is None:
        most = int(np.bincount(neighbor_list(atoms, REACH)[0], minlength=1).max())
        sizes = Sizes(0, 0, 0).around(grid, grid.fullest(atoms.positions, cell), most + 1)

    @backend.jit
    def search(positions, cell, grid):
        rows, needs = neighbor_rows(positions, cell, grid, REACH, sizes)
        return {**rows, "reverse": reverse_places(rows["neighbors"], rows["shifts"])}, needs

    rows, needs = search(atoms.positions, cell, Grid(*grid))
    return {name: np.asarray(x) for name, x in rows.items()}, {name: float(x) for name, x in needs.items()}, sizes


def pairs(rows):
    atom, place = np.nonzero(rows["neighbors"] >= 0)
    return np.column_stack([atom, rows["neighbors"][atom, place], rows["shifts"][atom, place]])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [pytest.param(one, marks=ONE if "random" in one else ()) for one in STRUCTURES])
def test_pairs_are_those_of_vesin(name):
    atoms = STRUCTURES[name]
    rows, needs, sizes = listed(atoms)
    i, j, S = neighbor_list(atoms, REACH)
    expected, found = {*map(tuple, np.column_stack([i, j, S]).tolist())}, pairs(rows).tolist()
    assert {*map(tuple, found)} == expected and len(found) == len(expected)
    assert bool(fits({name: np.float64(value) for name, value in needs.items()}, sizes))
    vectors = atoms.positions[j] + S @ atoms.cell.array - atoms.positions[i]
    assert needs["closest"] == pytest.approx(np.linalg.norm(vectors, axis=1).min(initial=np.inf), rel=1e-9)
    # Each pair leads to itself in the other direction.
    atom, place = np.nonzero(rows["neighbors"] >= 0)
    back = np.divmod(rows["reverse"][atom, place], rows["neighbors"].shape[1])
    np.testing.assert_array_equal(back[0], rows["neighbors"][atom, place])
    np.testing.assert_array_equal(rows["neighbors"][back], atom)
    np.testing.assert_array_equal(rows["shifts"][back], -rows["shifts"][atom, place])
    assert (rows["reverse"][rows["neighbors"] < 0] == -1).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.slow_on_tensorflow
def test_what_does_not_fit_is_noticed():
    """Too few places for neighbors or for atoms of a bin, atoms too far away, and a cell that has shrunk; bins of more than 32."""
    atoms = STRUCTURES["crystal"]
    _, needs, sizes = listed(atoms)
    numbers = {name: np.float64(value) for name, value in needs.items()}
    assert not bool(fits(numbers, sizes._replace(neighbors=int(needs["neighbors"]) - 1)))
    assert not bool(fits(numbers, sizes._replace(capacity=int(needs["fullest"]) - 1)))
    assert not bool(fits({**numbers, "turns": np.float64(MOST_TURNS + 1)}, sizes))
    grid = Grid.of(atoms.positions, atoms.cell.array, atoms.pbc, REACH)
    search = backend.jit(lambda positions, cell: neighbor_rows(positions, cell, Grid(*grid), REACH, sizes)[1])
    # Fractional positions that stay: only the widths of the bins change.
    assert float(search(0.8 * atoms.positions, 0.8 * atoms.cell.array)["reached"]) == pytest.approx(0.8 * needs["reached"])
    assert 0.8 * needs["reached"] < 1.0
    assert Sizes(8, 12, 20).around(grid, fullest=30, neighbors=4) == (int(grid.counts.prod()), 64, 20)
    crowded = bulk("Cu", cubic=True) * (2, 2, 2)
    rows, _, sizes = listed(crowded, Sizes(8, 64, 64))
    assert len(pairs(rows)) == len(neighbor_list(crowded, REACH)[0])
