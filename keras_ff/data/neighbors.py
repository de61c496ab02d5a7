"""Neighbor lists: every neighbor and every periodic image within a cutoff, found by vesin."""

import numpy as np
import vesin

# Below this many atoms a second thread costs more than it saves.
ATOMS_FOR_THREADS = 512


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
    positions = np.ascontiguousarray(atoms.positions, dtype=np.float64)
    cell = np.array(atoms.cell[:], dtype=np.float64)
    periodic = np.array(atoms.pbc, dtype=bool)
    check_geometry(positions, cell, periodic)
    cell[~periodic] = 0.0
    search = vesin.NeighborList(
        cutoff=cutoff, full_list=True, sorted=False, n_threads=1 if len(positions) < ATOMS_FOR_THREADS else 0
    )
    pairs, S = search.compute(points=positions, box=cell, periodic=periodic, quantities="PS", copy=False)
    # Sorting (atom, place) as one integer is stable and several times faster than vesin's own sort.
    keys = (pairs[:, 0].astype(np.int64) << 32) | np.arange(len(pairs))
    keys.sort()
    order = keys & 0xFFFFFFFF
    S = np.ascontiguousarray(S, dtype=np.int32)
    return (keys >> 32).astype(np.int32), pairs[:, 1].astype(np.int32)[order], _rows(S)[order].view(np.int32).reshape(-1, 3)


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
    finite = np.isfinite(positions).all(axis=-1)
    if not finite.all():
        atom = int(np.argmin(finite))
        raise ValueError(f"The position of atom {atom} is {positions[atom].tolist()}. Positions are finite numbers in Å.")
    if not np.isfinite(cell).all():
        raise ValueError(f"The cell has entries that are not finite: {cell.tolist()}.")
    lengths = np.linalg.norm(cell, axis=-1)[periodic]
    if periodic_volume(cell, periodic) <= 1e-6 * np.prod(lengths) or (lengths == 0.0).any():
        raise ValueError(
            f"The cell {cell.tolist()} has no volume in its periodic directions, pbc={periodic.tolist()}. "
            "Give three independent cell vectors in Å, or set pbc to False where the structure does not repeat."
        )


def checked_cutoff(cutoff):
    """The cutoff in Å as a float, or a ValueError."""
    cutoff = float(cutoff)
    if not (np.isfinite(cutoff) and cutoff > 0.0):
        raise ValueError(f"A cutoff is a positive number in Å. Received cutoff={cutoff}.")
    return cutoff
