"""Placement of structures near the origin, where their positions do not lose digits in single precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_ff.data.geometry_checks import check_contact, check_geometry, check_resolution, upper_bound
from keras_ff.data.neighbors import completed, pair_vectors, pairs_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

# Number of structures that are looked at together.
BLOCK = 256

# Distance in Å of the middle of a structure from the origin beyond which it is moved: single precision resolves 1e-5 Å there.
FAR = 100.0


class Placement(NamedTuple):
    """Translation of a structure between the positions that a user gave and those near the origin that a model computes with.

        positions = near + crossings @ cell + origin

    Attributes:
        crossings: Lattice translation of each atom, whole numbers, (atoms, 3); zeros where the structure does not repeat.
        origin: Translation of all atoms in Å, (3,); zeros along periodic directions.

    Example:
        >>> far, cell = np.array([[1000.2, 0.0, 3.0]]), np.diag([2.0, 0.0, 0.0])
        >>> placement = Placement.of(far, cell, np.array([True, False, False]))
        >>> near = placement.near(far, cell)
        >>> near.round(6).tolist(), placement.restored(near, cell).round(6).tolist()
        ([[0.2, 0.0, 3.0]], [[1000.2, 0.0, 3.0]])
    """

    crossings: np.ndarray
    origin: np.ndarray

    @classmethod
    def of(cls, positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> Placement:
        """Choose the placement of a structure.

        A structure stays where it is if all atoms are in the cell or in one beside it, and a molecule if it is near the origin.

        Args:
            positions: (atoms, 3), in Å.
            cell: (3, 3), rows are lattice vectors, in Å.
            periodic: Boolean (3,), the directions in which the structure repeats.

        Returns:
            `Placement`.
        """
        crossings, origin = np.zeros(positions.shape), np.zeros(3)
        repeats = periodic.tolist()
        if any(repeats):
            full = cell if all(repeats) else completed(cell, periodic)
            turns = np.floor(positions @ np.linalg.inv(full)) * periodic
            # All atoms or none, so that a structure whose atoms cross the boundary of its cell keeps its positions.
            if upper_bound(turns) > 1.0 and np.abs(turns).max() > 1.0:
                crossings = turns
        if not all(repeats) and len(positions):
            # Single atoms far away, such as those that evaporate, leave the median where it is.
            middle = np.median(positions, axis=0)
            if any(repeats):
                # Only perpendicular to the directions that repeat.
                across = full[~periodic] / np.linalg.norm(full[~periodic], axis=1, keepdims=True)
                middle = (middle @ across.T) @ across
            if np.linalg.norm(middle) > FAR:
                origin = middle
        return cls(crossings, origin)

    def near(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Compute positions near the origin from those of the user.

        Args:
            positions: Positions of the user, (atoms, 3), in Å.
            cell: The cell as it is now, (3, 3), in Å.

        Returns:
            Positions near the origin, (atoms, 3), in Å.
        """
        return positions - (self.crossings @ cell + self.origin)

    def restored(self, near: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Compute the positions of the user from those near the origin.

        Args:
            near: Positions near the origin, (atoms, 3), in Å; also (frames, atoms, 3).
            cell: The cell as it is now, (3, 3), in Å; also (frames, 3, 3).

        Returns:
            Positions of the user, in the shape of `near`, in Å.
        """
        return near + (self.crossings @ cell + self.origin)


def placements(structures: Sequence[Atoms]) -> Iterator[Placement | None]:
    """Placements of many structures, in a fraction of the time that they take one by one.

    Args:
        structures: List of structures, which may be broken.

    Yields:
        `Placement` of each crystal that clearly stays where it is, the same as from `Placement.of`; None for all others, at which
        `Placement.of` has to look.

    Example:
        >>> from ase import Atoms
        >>> crystal = Atoms("Si", [[0.1, 0.2, 0.3]], cell=[2.0, 2.0, 2.0], pbc=True)
        >>> next(placements([crystal])).origin.tolist()
        [0.0, 0.0, 0.0]
    """
    for start in range(0, len(structures), BLOCK):
        block = structures[start : start + BLOCK]
        owner = np.repeat(np.arange(len(block)), [len(atoms) for atoms in block])
        cells, positions = np.array([atoms.cell.array for atoms in block]), np.concatenate([atoms.positions for atoms in block])
        normals = np.cross(cells[:, [1, 2, 0]], cells[:, [2, 0, 1]])
        with np.errstate(all="ignore"):
            fractions = np.vecdot(normals.take(owner, 0), positions[:, None]) / np.vecdot(cells, normals).take(owner, 0)
            # In the cell or in one beside it, beyond all rounding.
            moved = ~(np.abs(fractions - 0.5) < 1.499).all(axis=1)
        stays = np.bincount(owner, moved, len(block)) == 0
        for atoms, one in zip(block, stays.tolist(), strict=True):
            yield Placement(np.zeros(atoms.positions.shape), np.zeros(3)) if one and all(atoms.pbc.tolist()) else None


def placed(atoms: Atoms, placement: Placement | None = None) -> dict[str, Any]:
    """Check a structure, and place it near the origin.

    Args:
        atoms: The structure.
        placement: Placement of the structure; chosen by `Placement.of` by default.

    Returns:
        Dict of `positions`, `cell`, `pbc` and `placement`, as in `keras_ff.data.batches.Batcher.record`.

    Raises:
        ValueError: If the structure has no atoms, or its positions or cell are absurd.
    """
    if not len(atoms):
        raise ValueError("The structure has no atoms.")
    cell, periodic = atoms.cell.array.copy(), np.array(atoms.pbc, dtype=bool)
    check_geometry(atoms.positions, cell, periodic)
    placement = placement or Placement.of(atoms.positions, cell, periodic)
    return {"positions": placement.near(atoms.positions, cell), "cell": cell, "pbc": periodic, "placement": placement}


def placed_pairs(atoms: Atoms, cutoff: float, placement: Placement | None = None) -> dict[str, Any]:
    """Check a structure, place it near the origin, and list its neighbors there.

    Args:
        atoms: The structure.
        cutoff: Radius in Å within which neighbors are listed.
        placement: Placement of the structure; chosen by `Placement.of` by default.

    Returns:
        Dict of `positions`, `cell`, `pbc`, `i`, `j`, `S`, `closest`, `distance` and `placement`, as in
        `keras_ff.data.batches.Batcher.record`, and the `vectors` of the pairs in Å, (pairs, 3).

    Raises:
        ValueError: If the structure has no atoms, its positions, cell or neighbors are absurd, or two atoms are at the same
            position.
    """
    record = placed(atoms, placement)
    i, j, S = pairs_within(record["positions"], record["cell"], record["pbc"], cutoff)
    check_resolution(atoms.positions, i, np.float64)
    vectors = pair_vectors(record["positions"], record["cell"], i, j, S)
    pair, distance = check_contact(atoms.get_chemical_formula, i, j, vectors)
    return {**record, "i": i, "j": j, "S": S, "vectors": vectors, "closest": pair, "distance": distance}
