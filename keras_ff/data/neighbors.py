"""Neighbor lists: every neighbor and every periodic image within a cutoff, found by vesin."""

import math

import numpy as np
import vesin
from ase.cell import Cell
from scipy.spatial import KDTree

# Below this many atoms a second thread costs more than it saves.
ATOMS_FOR_THREADS = 512

# Cells of a grid for each atom beyond which vesin takes long, or divides by zero; with a cutoff far beyond the structure it hangs.
SPARSE = 64

# Within twenty times the cutoff of a usual force field there are fewer.
MOST_NEIGHBORS = 100_000


def neighbor_list(atoms, cutoff):
    """All pairs of atoms closer than `cutoff`, each pair in both directions.

    Periodic images count as neighbors of their own, also those of the atom itself, so cells smaller than the cutoff are
    right. Atoms may lie outside the cell. The vector of a pair is

        positions[j] + S @ cell - positions[i]

    Args:
        atoms: An `ase.Atoms`. Directions with `pbc` False have no images, whatever their cell vector.
        cutoff: Radius in Å.

    Returns:
        Tuple `(i, j, S)`, sorted by `i`: the index of the atom and of its neighbor, int32 of shape (pairs,), and the lattice
        translation of the neighbor, int32 of shape (pairs, 3). The order is the same in every call.

    Raises:
        ValueError: If the cutoff is not a positive number, a position or the cell is not finite, or the cell has no volume in
            its periodic directions.

    Example:
        >>> from ase.build import bulk
        >>> i, j, S = neighbor_list(bulk("Si"), 2.5)
        >>> np.bincount(i).tolist()
        [4, 4]
    """
    cutoff = checked_cutoff(cutoff)
    cell, periodic = np.array(atoms.cell[:], dtype=np.float64), np.array(atoms.pbc, dtype=bool)
    check_geometry(atoms.positions, cell, periodic)
    return pairs_within(atoms.positions, cell, periodic, cutoff)


def pairs_within(positions, cell, periodic, cutoff):
    """What `neighbor_list` returns, from arrays that `check_geometry` has accepted.

    Args:
        positions: `(atoms, 3)`, in Å.
        cell: `(3, 3)`, rows are lattice vectors, in Å.
        periodic: Boolean `(3,)`. Vectors of directions that are not periodic do not count.
        cutoff: Radius in Å, a float.

    Raises:
        ValueError: If so many atoms lie within the cutoff that the units of lengths must be wrong.
    """
    if not len(positions):
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3), np.int32)
    positions, cell = np.ascontiguousarray(positions, dtype=np.float64), np.where(periodic[:, None], cell, 0.0)
    sides = _sides(positions, cell, periodic)
    _check_count(len(positions), sides, periodic, cutoff)
    sparse = np.prod(np.maximum(sides / cutoff, 1.0)) > SPARSE * len(positions) + 10**5
    if sparse or cutoff > 100.0 * sides.max():
        pairs, S = _pairs_by_tree(positions, cell, periodic, cutoff)
    else:
        search = vesin.NeighborList(
            cutoff=cutoff, full_list=True, sorted=False, n_threads=1 if len(positions) < ATOMS_FOR_THREADS else 0
        )
        pairs, S = search.compute(points=positions, box=cell, periodic=periodic, quantities="PS", copy=False)
    # Sorting (atom, pair) as one integer is stable and several times faster than vesin's own sort.
    keys = (pairs[:, 0].astype(np.int64) << 32) | np.arange(len(pairs))
    keys.sort()
    order = keys & 0xFFFFFFFF
    S = np.ascontiguousarray(S, dtype=np.int32)
    return (keys >> 32).astype(np.int32), pairs[:, 1].astype(np.int32)[order], _rows(S)[order].view(np.int32).reshape(-1, 3)


def _sides(positions, cell, periodic):
    """Size of the structure along its three directions in Å: distances of lattice planes, or extents where nothing repeats."""
    if periodic.all():
        return 1.0 / np.sqrt(np.einsum("ij,ij->j", inverse := np.linalg.inv(cell), inverse))
    full = completed(cell, periodic)
    sides = 1.0 / np.linalg.norm(np.linalg.inv(full), axis=0)
    extents = np.ptp(positions @ np.linalg.inv(full), axis=0) * np.linalg.norm(full, axis=1)
    return np.where(periodic, sides, np.maximum(extents, 1e-3))


def _check_count(n_atoms, sides, periodic, cutoff):
    """Raise a ValueError where an atom would have more neighbors than any sensible force field looks at."""
    expected = n_atoms * np.prod(np.where(periodic, 2.0 * cutoff / sides, np.minimum(1.0, 2.0 * cutoff / sides)))
    if expected > MOST_NEIGHBORS:
        raise ValueError(
            f"Each of the {n_atoms} atoms would have about {expected:.1e} neighbors within {cutoff:g} Å. "
            "Are cell, positions and cutoff in Å?"
        )


def _pairs_by_tree(positions, cell, periodic, cutoff):
    """Pairs and translations of structures so sparse that a grid of cells would be nearly empty: a k-d tree of atoms and images."""
    reach = np.where(periodic, np.ceil(cutoff / _sides(positions, cell, periodic)), 0).astype(int)
    inside = np.zeros(positions.shape, dtype=np.int64)
    if periodic.any():
        inside = np.floor(positions @ np.linalg.inv(completed(cell, periodic))).astype(np.int64) * periodic
    wrapped = positions - inside @ cell
    # An atom in the cell sees images of atoms in the cell: its own reach and one more.
    turns = np.stack(np.meshgrid(*[np.arange(-n - 1, n + 2) if n else np.arange(1) for n in reach], indexing="ij"), -1).reshape(
        -1, 3
    )
    images = (wrapped[None] + (turns @ cell)[:, None]).reshape(-1, 3)
    near = KDTree(wrapped).sparse_distance_matrix(KDTree(images), cutoff, output_type="ndarray")
    i, (turn, j) = near["i"], np.divmod(near["j"], len(positions))
    S = turns[turn]
    other = (i != j) | S.any(axis=1)
    i, j, S = i[other], j[other], S[other]
    return np.stack([i, j], axis=1), S - inside[j] + inside[i]


def completed(cell, periodic):
    """The cell with unit vectors at right angles to the periodic ones in the place of the others, `(3, 3)`."""
    cell = np.where(np.asarray(periodic)[:, None], cell, 0.0)
    return Cell(cell).complete()[:]


def dense(i, j, S, n_atoms, n_neighbors):
    """Pairs sorted by `i` as padded rows, one row an atom.

    Args:
        i: Index of the atom, (pairs,), sorted.
        j: Index of its neighbor, (pairs,).
        S: Anything of the pair, (pairs, 3): lattice translations, or whole shifts `S @ cell` in Å.
        n_atoms: Number of rows, A.
        n_neighbors: Length of the rows, K.

    Returns:
        Tuple of `neighbors`, int32 of shape (A, K) with -1 in the empty places, and `shifts`, of shape (A, K, 3) and the dtype of
        `S` with zeros in the empty places.

    Raises:
        ValueError: If `n_atoms` or `n_neighbors` is too small. No neighbor is ever left out.

    Example:
        >>> neighbors, _ = dense(np.array([0, 0, 1]), np.array([1, 2, 0]), np.zeros((3, 3)), n_atoms=3, n_neighbors=2)
        >>> neighbors.tolist()
        [[1, 2], [0, -1], [-1, -1]]
    """
    S = np.ascontiguousarray(S)
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
    neighbors = np.full((n_atoms, n_neighbors), -1, dtype=np.int32)
    shifts = np.zeros((n_atoms, n_neighbors, 3), dtype=S.dtype)
    # The pairs are sorted by atom, so the flat place of a pair is its number plus the empty places of the rows before it.
    places = np.arange(len(i)) + np.repeat(np.arange(n_atoms) * n_neighbors - (np.cumsum(counts) - counts), counts)
    neighbors.reshape(-1)[places] = j
    _rows(shifts)[places] = _rows(S)
    return neighbors, shifts


def _rows(array):
    """View of a contiguous array whose elements are its rows of three: NumPy moves them several times faster than the rows."""
    return array.reshape(-1, 3).view(np.dtype((np.void, 3 * array.itemsize)))[:, 0]


def periodic_volume(cell, periodic):
    """Volume, area or length, in powers of Å, that the periodic cell vectors span; 1 where none is periodic."""
    vectors = np.asarray(cell, dtype=np.float64)[np.asarray(periodic, dtype=bool)]
    return float(np.sqrt(max(np.linalg.det(vectors @ vectors.T), 0.0))) if len(vectors) else 1.0


def check_geometry(positions, cell, periodic):
    """Raise a ValueError where positions or cell are not finite or the periodic cell vectors span nothing."""
    if not np.isfinite(positions).all():
        atom = int(np.argmin(np.isfinite(positions).all(axis=-1)))
        raise ValueError(f"The position of atom {atom} is {positions[atom].tolist()}. Positions are finite numbers in Å.")
    if not np.isfinite(cell).all():
        raise ValueError(f"The cell has entries that are not finite: {cell.tolist()}.")
    if not periodic.any() or (periodic.all() and _is_wide(cell)):
        return
    lengths = np.linalg.norm(cell, axis=-1)[periodic]
    if periodic_volume(cell, periodic) <= 1e-6 * np.prod(lengths) or (lengths == 0.0).any():
        raise ValueError(
            f"The cell {cell.tolist()} has no volume in its periodic directions, pbc={periodic.tolist()}. "
            "Give three independent cell vectors in Å, or set pbc to False where the structure does not repeat."
        )


def _is_wide(cell):
    """Whether three lattice vectors are far from dependent; for one matrix NumPy takes several times as long."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return abs(volume) > 1e-6 * math.sqrt((a * a + b * b + c * c) * (d * d + e * e + f * f) * (g * g + h * h + i * i)) > 0.0


def checked_cutoff(cutoff):
    """The cutoff in Å as a float, or a ValueError."""
    cutoff = float(cutoff)
    if not (np.isfinite(cutoff) and cutoff > 0.0):
        raise ValueError(f"A cutoff is a positive number in Å. Received cutoff={cutoff}.")
    return cutoff
