"""Checks of positions, cells and cutoffs: what is broken, or so large that the units of lengths must be wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# Largest coordinate and cell vector in Å: kilometers are legal, as isolated atoms, and squares are finite in single precision.
LARGEST = 1e15

# Atoms closer than this in Å are the same atom twice: no potential has a meaning there.
COINCIDENT = 1e-5

# Smallest and largest cutoff in Å.
SMALLEST_CUTOFF, LARGEST_CUTOFF = 1e-6, 1000.0

# Number of neighbors beyond which units must be wrong: there are fewer within twenty times the cutoff of a usual force field.
MOST_NEIGHBORS = 100_000

# Number of pairs beyond which a neighbor list does not fit into the memory of most machines.
MOST_PAIRS = 300_000_000

# Images of atoms around the cell, beside those that many atoms have anyway.
MOST_IMAGES = 2_000_000

# Largest rounding error in Å of the position of an atom that has neighbors. At this one force errors are about 0.01 eV/Å.
COARSE = 5e-4

UNITS = "Are cell, positions and cutoff in Å?"


def periodic_volume(cell: np.ndarray, periodic: np.ndarray) -> float:
    """Volume in Å³, area in Å² or length in Å that the periodic vectors of a cell span.

    Args:
        cell: (3, 3), rows are lattice vectors, in Å.
        periodic: Boolean (3,), the directions in which the structure repeats.

    Returns:
        The volume; 1 where no direction is periodic.

    Example:
        >>> round(periodic_volume(np.diag([2.0, 3.0, 9.0]), [True, True, False]), 6)
        6.0
    """
    vectors = np.asarray(cell, dtype=np.float64)[np.asarray(periodic, dtype=bool)]
    return float(np.sqrt(max(np.linalg.det(vectors @ vectors.T), 0.0))) if len(vectors) else 1.0


def upper_bound(lengths: np.ndarray) -> float:
    """Number that no length in an array exceeds: the norm of all of them, in a third of the time of finding the largest.

    Args:
        lengths: Any shape.

    Returns:
        The norm; NaN or infinity if an entry is not finite.

    Example:
        >>> upper_bound(np.array([[3.0, -4.0]]))
        5.0
    """
    return math.sqrt(np.vdot(lengths, lengths))


def check_geometry(positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> None:
    """Raise an error if positions or cell are broken.

    Args:
        positions: (atoms, 3), in Å.
        cell: (3, 3), rows are lattice vectors, in Å.
        periodic: Boolean (3,), the directions in which the structure repeats.

    Raises:
        ValueError: If a number is not finite or absurdly large, or the periodic cell vectors are not independent.
    """
    for name, lengths in (("position of an atom", positions), ("vector of the cell", cell)):
        # One test for all that is wrong, as NaN is not smaller than anything.
        if not upper_bound(lengths) <= LARGEST and not np.abs(lengths).max(initial=0.0) <= LARGEST:
            _raise_of_lengths(name, lengths)
    repeats = periodic.tolist()
    if not any(repeats) or (all(repeats) and _is_wide(cell)):
        return
    lengths = np.linalg.norm(cell, axis=-1)[periodic]
    if periodic_volume(cell, periodic) <= 1e-6 * np.prod(lengths) or (lengths == 0.0).any():
        raise ValueError(
            f"The cell {cell.tolist()} has no volume in its periodic directions, pbc={periodic.tolist()}. "
            "Give three independent cell vectors in Å, or set pbc to False where the structure does not repeat."
        )


def _raise_of_lengths(name, lengths):
    finite = np.isfinite(lengths).all(axis=-1)
    if finite.all():
        row = lengths[int(np.abs(lengths).max(axis=-1).argmax())].tolist()
        raise ValueError(f"A {name} is {row}, more than {LARGEST:g} Å. Are positions and cell in Å?")
    if name == "vector of the cell":
        raise ValueError(f"The cell has entries that are not finite: {lengths.tolist()}.")
    atom = int(np.argmin(finite))
    raise ValueError(f"The position of atom {atom} is {lengths[atom].tolist()}. Positions are finite numbers in Å.")


def _is_wide(cell):
    """Whether three lattice vectors are clearly independent; NumPy takes several times as long for a single matrix."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return abs(volume) > 1e-6 * math.sqrt((a * a + b * b + c * c) * (d * d + e * e + f * f) * (g * g + h * h + i * i)) > 0.0


def on_top(i: int, j: int, distance: float) -> str:
    """Clause of an error message about two atoms that are too close to each other.

    Args:
        i: Index of one atom.
        j: Index of the other; the same for a periodic image.
        distance: Their distance in Å.

    Returns:
        The clause, without a full stop.
    """
    first, second = sorted((i, j))
    where = "a periodic image of itself" if first == second else f"atom {second}"
    return f"Atom {first} and {where} are {distance:.3f} Å apart: atoms lie on top of each other"


def check_contact(name: Callable[[], str], i: np.ndarray, j: np.ndarray, vectors: np.ndarray) -> tuple[int, float]:
    """Find the closest pair of atoms, and raise an error if they are at the same position.

    Args:
        name: Function that returns the name of the structure.
        i: Index of the atom of each pair, (pairs,).
        j: Index of its neighbor, (pairs,).
        vectors: Vectors between the atoms of each pair, (pairs, 3), in Å.

    Returns:
        Tuple of the index of the pair and its distance in Å; (-1, infinity) without pairs.

    Raises:
        ValueError: If the distance is less than `COINCIDENT`. The message names both atoms.
    """
    if not len(vectors):
        return -1, np.inf
    squares = np.vecdot(vectors, vectors)
    pair = int(squares.argmin())
    distance = math.sqrt(squares[pair])
    if distance < COINCIDENT:
        raise ValueError(f"{name()}: {on_top(int(i[pair]), int(j[pair]), distance)}. Remove one of them.")
    return pair, distance


def checked_cutoff(cutoff: float) -> float:
    """Cutoff in Å as a float, after a check that it is positive and finite.

    Args:
        cutoff: Radius in Å.

    Returns:
        The same number.

    Raises:
        ValueError: If it is not positive or larger than 1000.
    """
    cutoff = float(cutoff)
    if not SMALLEST_CUTOFF <= cutoff <= LARGEST_CUTOFF:
        raise ValueError(f"A cutoff is a positive number in Å, at most {LARGEST_CUTOFF:g}. Received cutoff={cutoff:g}.")
    return cutoff


def check_count(n_atoms: int, sides: list[float], periodic: np.ndarray, cutoff: float) -> None:
    """Raise an error if atoms would have more neighbors on average than any sensible force field uses.

    Args:
        n_atoms: Number of atoms.
        sides: Size of the structure along its three directions in Å.
        periodic: Boolean (3,), the directions in which the structure repeats.
        cutoff: Radius in Å.

    Raises:
        ValueError: If they would.
    """
    along = [2.0 * cutoff / side for side in sides]
    expected = n_atoms * math.prod(
        [ratio if repeats else min(1.0, ratio) for ratio, repeats in zip(along, periodic.tolist(), strict=True)]
    )
    if expected > MOST_NEIGHBORS:
        raise ValueError(f"Each of the {n_atoms} atoms would have about {expected:.1e} neighbors within {cutoff:g} Å. {UNITS}")
    check_pairs(n_atoms, n_atoms * expected, cutoff)


def check_pairs(n_atoms: int, pairs: float, cutoff: float, most: float = MOST_PAIRS) -> None:
    """Raise an error if a neighbor list has too many pairs.

    Args:
        n_atoms: Number of atoms.
        pairs: Number of pairs.
        cutoff: Radius in Å.
        most: Largest number of pairs.

    Raises:
        ValueError: If there are more than that.
    """
    if pairs > most:
        raise ValueError(f"{n_atoms} atoms have {pairs:.1e} pairs or more within {cutoff:g} Å, too many to list. {UNITS}")


def check_crowding(positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray, cutoff: float) -> None:
    """Raise an error if so many atoms crowd together that their pairs cannot be listed.

    Args:
        positions: (atoms, 3), in Å.
        cell: (3, 3), rows are lattice vectors, in Å, or unit vectors where the structure does not repeat.
        periodic: Boolean (3,), the directions in which the structure repeats.
        cutoff: Radius in Å.

    Raises:
        ValueError: If the pairs within the cells of a grid are too many.
    """
    fractions = positions @ np.linalg.inv(cell)
    fractions -= np.where(periodic, np.floor(fractions), fractions.min(axis=0))
    # Atoms in the same cell of this grid are neighbors, and have about thirty times as many in the other cells.
    index = np.floor(fractions * (2.0 * np.linalg.norm(cell, axis=1) / cutoff)).astype(np.int64)
    shape = index.max(axis=0) + 1
    if math.prod(shape.tolist()) < 10**8:
        counts = np.bincount(np.ravel_multi_index(index.T, shape))
    else:
        counts = np.unique(index, axis=0, return_counts=True)[1]
    check_pairs(len(positions), float(np.sum(counts.astype(np.int64) ** 2)), cutoff, MOST_PAIRS / 10)


def check_images(n_atoms: int, sides: np.ndarray, periodic: np.ndarray, cutoff: float) -> None:
    """Raise an error if a cell is so thin that it has too many images within the cutoff.

    Args:
        n_atoms: Number of atoms.
        sides: Distances of lattice planes in Å, (3,).
        periodic: Boolean (3,), the directions in which the structure repeats.
        cutoff: Radius in Å.

    Raises:
        ValueError: If it has.
    """
    images = n_atoms * float(np.prod(1.0 + 2.0 * cutoff / sides[periodic]))
    if images > 64 * n_atoms + MOST_IMAGES:
        raise ValueError(
            f"{images:.1e} images of the {n_atoms} atoms are within {cutoff:g} Å of the cell, whose lattice planes are "
            f"{sides[periodic].min():.1e} Å apart. {UNITS}"
        )


def check_resolution(positions: np.ndarray, i: np.ndarray, dtype: np.dtype) -> None:
    """Raise an error if atoms with neighbors are so far away that their positions are too coarse in a precision.

    Args:
        positions: (atoms, 3), in Å.
        i: Index of the atom of each pair, (pairs,), sorted.
        dtype: Dtype that the positions are rounded to.

    Raises:
        ValueError: If the rounding error of a position exceeds `COARSE`.
    """
    farthest = 2.0 * COARSE / float(np.finfo(dtype).eps)
    if upper_bound(positions) <= farthest or not len(i):
        return
    atoms = np.unique(i)
    distances = np.abs(positions[atoms]).max(axis=1)
    if distances.max() > farthest:
        atom = int(atoms[distances.argmax()])
        raise ValueError(
            f"Atom {atom} has neighbors and is {distances.max():.3g} Å away from the origin or the middle of the structure, where "
            f"{np.dtype(dtype).name} does not resolve {COARSE:g} Å. Use float64, or bring the parts of the structure closer."
        )
