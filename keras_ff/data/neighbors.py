"""Neighbor lists, made by vesin: every neighbor and every periodic image within a cutoff."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import vesin
from ase.cell import Cell
from scipy.spatial import KDTree

from keras_ff.data.geometry_checks import (
    MOST_PAIRS,
    check_count,
    check_crowding,
    check_geometry,
    check_images,
    check_pairs,
    checked_cutoff,
    upper_bound,
)

if TYPE_CHECKING:
    from ase import Atoms

# Below this many atoms a second thread costs more than it saves.
ATOMS_FOR_THREADS = 512

# Cells of a grid for each atom, and with these few atoms, beyond which vesin is slow, hangs or divides by zero.
SPARSE, FEW = 2, 500

# Number of cells between an atom and the origin: it has to be an int32.
MOST_TURNS = 1e9

# Images of the cell within the cutoff beyond which vesin is slow.
THIN = 20.0


def neighbor_list(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbor list of a structure: all pairs of atoms closer than a cutoff, each pair in both directions.

    Each periodic image is a neighbor of its own, also an image of the atom itself, so the list is complete for cells smaller than
    the cutoff. Atoms may lie outside the cell. The vector of a pair is

        positions[j] + S @ cell - positions[i]

    Args:
        atoms: The structure, an `ase.Atoms`. Directions with `pbc` False have no images, whatever their cell vector.
        cutoff: Radius in Å.

    Returns:
        Tuple `(i, j, S)`, sorted by `i`: the index of the atom and of its neighbor, int32 of shape (pairs,), and the lattice
        translation of the neighbor, int32 of shape (pairs, 3). The order is the same in every call.

    Raises:
        ValueError: If the cutoff is not a positive number below 1000, a position or the cell is not finite or absurd, the cell has
            no volume in its periodic directions, or there are so many pairs that the units must be wrong.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> i, j, S = kff.data.neighbor_list(bulk("Si"), 2.5)
        >>> np.bincount(i).tolist()
        [4, 4]
    """
    cutoff = checked_cutoff(cutoff)
    cell, periodic = np.array(atoms.cell[:], dtype=np.float64), np.array(atoms.pbc, dtype=bool)
    check_geometry(atoms.positions, cell, periodic)
    return pairs_within(atoms.positions, cell, periodic, cutoff)


def pairs_within(
    positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbor list of arrays that `check_geometry` has accepted.

    Args:
        positions: (atoms, 3), in Å.
        cell: (3, 3), rows are lattice vectors, in Å. Vectors of directions that are not periodic are ignored.
        periodic: Boolean (3,), the directions in which the structure repeats.
        cutoff: Radius in Å.

    Returns:
        Tuple `(i, j, S)` as from `neighbor_list`.

    Raises:
        ValueError: If so many atoms lie within the cutoff that the units of lengths must be wrong.
    """
    if not len(positions):
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3), np.int32)
    positions, repeats = np.ascontiguousarray(positions, dtype=np.float64), periodic.tolist()
    if not all(repeats):
        cell = np.where(periodic[:, None], cell, 0.0)
    sides = _sides(positions, cell, periodic)
    check_count(len(positions), sides, periodic, cutoff)
    # Atoms are at most so many lattice planes away, of which there are three sets.
    if any(repeats) and 2.0 * upper_bound(positions) > MOST_TURNS * min(sides):
        _check_turns(positions, cell, periodic)
    if len(positions) ** 2 * math.prod([max(2.0 * cutoff / side, 1.0) for side in sides]) > MOST_PAIRS:
        check_crowding(positions, completed(cell, periodic), periodic, cutoff)
    sparse = math.prod([max(side / cutoff, 1.0) for side in sides]) > SPARSE * (len(positions) + FEW)
    thin = any([one and cutoff > THIN * side for side, one in zip(sides, repeats, strict=True)])
    if sparse or thin or cutoff > 100.0 * max(sides):
        pairs, S = _pairs_by_tree(positions, cell, periodic, cutoff)
    else:
        search = vesin.NeighborList(
            cutoff=cutoff, full_list=True, sorted=False, n_threads=1 if len(positions) < ATOMS_FOR_THREADS else 0
        )
        pairs, S = search.compute(points=positions, box=cell, periodic=periodic, quantities="PS", copy=False)
    i, j = pairs.T.astype(np.int32)
    # NumPy sorts 16 bits in linear time, many times faster than vesin sorts.
    order = i.astype(np.uint16).argsort(kind="stable")
    if len(positions) > 1 << 16:
        order = order[(i >> 16).astype(np.uint16)[order].argsort(kind="stable")]
    return i.take(order), j.take(order), S.astype(np.int32, copy=False).take(order, 0)


def _sides(positions, cell, periodic):
    """Size of the structure along its three directions in Å: distances of lattice planes, or extents where it does not repeat."""
    if all(periodic.tolist()):
        return _plane_distances(cell)
    full = completed(cell, periodic)
    sides = 1.0 / np.linalg.norm(np.linalg.inv(full), axis=0)
    extents = np.ptp(positions @ np.linalg.inv(full), axis=0) * np.linalg.norm(full, axis=1)
    return np.where(periodic, sides, np.maximum(extents, 1e-3)).tolist()


def _plane_distances(cell):
    """Distances of lattice planes in Å, three numbers; in plain Python, which is faster for a single matrix."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    x, y, z = e * i - f * h, f * g - d * i, d * h - e * g
    volume = abs(a * x + b * y + c * z)
    second, third = math.hypot(h * c - i * b, i * a - g * c, g * b - h * a), math.hypot(b * f - c * e, c * d - a * f, a * e - b * d)
    return [volume / math.hypot(x, y, z), volume / second, volume / third]


def _check_turns(positions, cell, periodic):
    """Raise an error if an atom is so many cells away that their number is no int32."""
    turns = np.abs(positions @ np.linalg.inv(completed(cell, periodic))) * periodic
    if turns.max() > MOST_TURNS:
        atom, direction = np.unravel_index(turns.argmax(), turns.shape)
        raise ValueError(
            f"Atom {atom} is {turns.max():.1e} cells away from the origin along cell vector {direction}. Are cell and positions in "
            "Å? Wrap the atoms into the cell."
        )


def _pairs_by_tree(positions, cell, periodic, cutoff):
    """Pairs and translations of structures for which a grid of cells would be nearly empty: a k-d tree of atoms and images."""
    sides = np.array(_sides(positions, cell, periodic))
    check_images(len(positions), sides, periodic, cutoff)
    inverse = np.linalg.inv(completed(cell, periodic))
    inside = np.floor(positions @ inverse).astype(np.int64) * periodic if periodic.any() else np.zeros(positions.shape, np.int64)
    wrapped = positions - inside @ cell
    fractions, j = wrapped @ inverse, np.arange(len(wrapped))
    turns = np.zeros((len(wrapped), 3), np.int64)
    for direction in np.flatnonzero(periodic):
        # Images up to the cutoff beyond both faces of the cell.
        beyond = cutoff / sides[direction] + 1e-9
        steps = np.arange(-math.ceil(beyond), math.ceil(beyond) + 1)
        moved = fractions[j, direction][:, None] + steps
        rows, which = np.nonzero((moved >= -beyond) & (moved <= 1.0 + beyond))
        j, turns = j[rows], turns[rows]
        turns[:, direction] = steps[which]
    atoms, images = KDTree(wrapped), KDTree(wrapped[j] + turns @ cell)
    check_pairs(len(positions), int(atoms.count_neighbors(images, cutoff)), cutoff)
    near = atoms.sparse_distance_matrix(images, cutoff, output_type="ndarray")
    i, S, j = near["i"], turns[near["j"]], j[near["j"]]
    other = (i != j) | S.any(axis=1)
    i, j, S = i[other], j[other], S[other]
    return np.stack([i, j], axis=1), S - inside[j] + inside[i]


def pair_vectors(positions: np.ndarray, cell: np.ndarray, i: np.ndarray, j: np.ndarray, S: np.ndarray) -> np.ndarray:
    """Vectors from atoms to their neighbors in Å, `(pairs, 3)`, in double precision.

    Args:
        positions: (atoms, 3), in Å.
        cell: (3, 3), rows are lattice vectors, in Å.
        i: Index of the atom of each pair, (pairs,).
        j: Index of its neighbor, (pairs,).
        S: Lattice translation of the neighbor, (pairs, 3).

    Returns:
        Array of `positions[j] + S @ cell - positions[i]`.
    """
    # Several times as fast as indexing.
    return positions.take(j, 0) - positions.take(i, 0) + S @ cell


def completed(cell: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Cell whose vectors in directions that do not repeat are replaced by unit vectors perpendicular to the others, `(3, 3)` in Å.

    Args:
        cell: (3, 3), rows are lattice vectors, in Å.
        periodic: Boolean (3,), the directions in which the structure repeats.

    Returns:
        Array with an inverse, if the periodic vectors are independent.

    Example:
        >>> completed(np.diag([4.0, 4.0, 9.0]), [True, True, False]).diagonal().tolist()
        [4.0, 4.0, 1.0]
    """
    cell = np.where(np.asarray(periodic)[:, None], cell, 0.0)
    return Cell(cell).complete()[:]


def dense(i: np.ndarray, j: np.ndarray, S: np.ndarray, n_atoms: int, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Padded neighbor list with one row for each atom, made from the pairs of `neighbor_list`.

    Args:
        i: Index of the atom of each pair, (pairs,), sorted.
        j: Index of its neighbor, (pairs,).
        S: Three numbers for each pair, (pairs, 3): lattice translations, or shifts `S @ cell` in Å.
        n_atoms: Number of rows, A.
        n_neighbors: Length of the rows, K.

    Returns:
        Tuple of `neighbors`, int32 of shape (A, K) padded with -1, and `shifts`, of shape (A, K, 3) and the dtype of `S`, padded
        with zeros.

    Raises:
        ValueError: If `n_atoms` or `n_neighbors` is too small. No neighbor is ever left out.

    Example:
        >>> import keras_ff as kff
        >>> neighbors, _ = kff.data.dense(np.array([0, 0, 1]), np.array([1, 2, 0]), np.zeros((3, 3)), n_atoms=3, n_neighbors=2)
        >>> neighbors.tolist()
        [[1, 2], [0, -1], [-1, -1]]
    """
    highest = int(i[-1]) if len(i) else -1
    if highest >= n_atoms:
        raise ValueError(
            f"Atom {highest} has neighbors, but n_atoms={n_atoms} leaves no row for it. Raise n_atoms to {highest + 1} or more."
        )
    counts = np.bincount(i, minlength=n_atoms)
    most = int(counts.max(initial=0))
    if most > n_neighbors:
        raise ValueError(
            f"Atom {int(counts.argmax())} has {most} neighbors, but n_neighbors={n_neighbors} leaves room for {n_neighbors} only. "
            f"Raise n_neighbors to {most} or more."
        )
    # The pairs are sorted by atom, so they fill the rows one after the other.
    filled = np.flatnonzero(np.arange(n_neighbors) < counts[:, None])
    neighbors, shifts = np.full(n_atoms * n_neighbors, -1, np.int32), np.zeros((n_atoms * n_neighbors, 3), S.dtype)
    neighbors[filled], shifts[filled] = j, S
    return neighbors.reshape(n_atoms, n_neighbors), shifts.reshape(n_atoms, n_neighbors, 3)
