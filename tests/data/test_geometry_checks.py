"""Absurd structures and cutoffs: a right answer or a sentence, in bounded time and memory."""

import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from keras_ff.data.batches import Batcher
from keras_ff.data.neighbors import neighbor_list
from keras_ff.data.waves import wave_shape

PAIR = np.array([[0.1, 0.2, 0.3], [0.7, 0.5, 0.9]])


def boxed(cell, positions=PAIR, pbc=True):
    return Atoms(f"Si{len(positions)}", positions, cell=cell, pbc=pbc)


def cluster(*positions):
    return Atoms(f"Si{len(positions)}", positions)


def slab(height):
    """A slab with an atom that is far above it."""
    atoms = bulk("Si", cubic=True) * 2
    atoms.pbc = [True, True, False]
    atoms.positions[-1, 2] += height
    return atoms


def crowd(count):
    """Atoms in one cubic Å, and one far from them."""
    return np.vstack([np.random.default_rng(0).random((count - 1, 3)), [[400.0, 400.0, 400.0]]])


@pytest.mark.parametrize(
    "atoms, message",
    [
        (boxed([np.nan, 1, 1]), "cell has entries that are not finite"),
        (boxed([[1, 0, 0], [2, 0, 0], [0, 0, 1]]), "no volume"),
        (boxed([1e-300] * 3), "no volume"),
        (boxed([1e39] * 3), "vector of the cell is .* more than 1e\\+15 Å. Are positions and cell in Å"),
        (boxed([5e-10] * 3), "neighbors within 4 Å. Are cell, positions and cutoff in Å"),
        (boxed([1e-6, 1e5, 1e5]), "images of the 2 atoms .* lattice planes are 1.0e-06 Å apart"),
        (boxed([5, 5, 5], [[0, 0, 0], [1e13, 0, 0]]), "Atom 1 is 2.0e\\+12 cells away"),
        (boxed([5, 5, 5], [[0, 0, 0], [1e300, 0, 0]]), "position of an atom is .* more than 1e\\+15 Å"),
        (cluster([0, 0, 0], [0, 0, -np.inf]), "position of atom 1"),
        (slab(1e300), "more than 1e\\+15 Å"),
        (boxed(None, crowd(30_000), False), "pairs or more within 4 Å, too many to list"),
        (boxed([1e4] * 3, crowd(30_000)), "pairs or more within 4 Å, too many to list"),
    ],
)
def test_absurd_structures_are_refused_in_bounded_time(atoms, message):
    began = time.monotonic()
    with pytest.raises(ValueError, match=message):
        neighbor_list(atoms, 4.0)
    with pytest.raises(ValueError):
        Batcher(["Si"], 4.0).record(atoms)
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("cutoff", [1e9, 1e300, 1e-300, 0.0, -1.0, np.nan, np.inf])
def test_absurd_cutoffs_are_refused(cutoff):
    for made in (lambda: Batcher(["Si"], cutoff), lambda: neighbor_list(bulk("Si"), cutoff)):
        with pytest.raises(ValueError, match="A cutoff is a positive number in Å, at most 1000"):
            made()
    with pytest.raises(ValueError, match="A skin is a thickness in Å"):
        Batcher(["Si"], 4.0, skin=-1.0)


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e7, 1e13])
def test_atoms_far_away_are_isolated_and_cost_nothing(distance):
    began = time.monotonic()
    near, record = (Batcher(["Si"], 4.0).record(slab(height)) for height in (20.0, distance))
    pairs, expected = (sorted(zip(one["i"], one["j"], map(tuple, one["S"]))) for one in (record, near))
    assert pairs == expected
    # The slab stays where single precision has its digits.
    np.testing.assert_array_equal(record["positions"][:-1], slab(0.0).positions[:-1])
    assert not len(neighbor_list(cluster([0, 0, 0], [distance, 0, 0], [0, distance, 0]), 4.0)[0])
    assert time.monotonic() - began < 5.0


def test_a_thin_cell_has_all_its_images():
    thin = boxed([0.01, 50.0, 50.0], [[0, 0, 0]])
    i, _, S = neighbor_list(thin, 4.0)
    # The last ones are at the cutoff, up to rounding.
    assert set(S[:, 0].tolist()) - {-400, 400} == {n for n in range(-399, 400) if n} and len(i) in (798, 799, 800)
    assert not S[:, 1:].any()


def test_neighbors_far_away_need_digits():
    pairs = cluster([0, 0, 0], [0, 0, 2.3], [1e5, 0, 0], [1e5, 0, 2.3])
    with pytest.raises(ValueError, match="Atom [0-3] has neighbors and is .* where float32 does not resolve 0.0005 Å"):
        Batcher(["Si"], 4.0).record(pairs)
    assert len(Batcher(["Si"], 4.0, dtype="float64").record(pairs)["i"]) == 4
    pairs.positions[2:, 0] = 1e14
    with pytest.raises(ValueError, match="float64 does not resolve"):
        Batcher(["Si"], 4.0, dtype="float64").record(pairs)


def test_numbers_of_no_element():
    batcher = Batcher(["Og"], 4.0)
    for number in (-1, 119, 1000):
        with pytest.raises(ValueError, match=f"no element with the atomic number {number}, that of atom 1"):
            batcher.record(Atoms(numbers=[118, number], positions=[[0, 0, 0], [0, 0, 3]]))
    with pytest.raises(ValueError, match=r"does not know: \['X'\]"):
        batcher.record(Atoms("X"))


def test_atoms_at_one_position_are_named_images_too():
    batcher = Batcher(["Si"], 4.0)
    with pytest.raises(ValueError, match="Si2: Atom 0 and atom 1 are 0.000 Å apart"):
        batcher.record(boxed([5, 5, 5], [[0, 0, 0], [5 - 1e-7, 0, 5]]))
    with pytest.raises(ValueError, match="Si2: Atom 0 and atom 1 are 0.000 Å apart"):
        batcher.record(cluster([1, 2, 3], [1, 2, 3]))
    with pytest.raises(ValueError, match="a periodic image of itself are 0.000 Å apart"):
        Batcher(["Si"], 0.01).record(boxed([9e-6, 10, 10], [[0, 0, 0]]))


def test_a_cell_has_not_too_many_waves():
    with pytest.raises(ValueError, match="has about .* terms in the cell .* Is the cell in Å"):
        wave_shape(np.diag([1e5, 1e5, 1e5]), 2.0)
