"""Where a structure lies in space does not matter: positions near the origin, before they lose digits in single precision."""

from typing import NamedTuple

import numpy as np

from keras_ff.data.neighbors import completed


class Placement(NamedTuple):
    """Moves between the positions of a structure as its user gave them and those that a model computes with.

        positions = near + crossings @ cell + origin

    Attributes:
        crossings: Whole numbers of lattice vectors of each atom, `(atoms, 3)`; zeros where the structure does not repeat.
        origin: Translation of all atoms in Å, `(3,)`; zeros along periodic directions.
    """

    crossings: np.ndarray
    origin: np.ndarray

    @classmethod
    def of(cls, positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> "Placement":
        """The placement of a structure. Atoms within a cell of the cell, and molecules near the origin, stay where they are.

        Args:
            positions: `(atoms, 3)`, in Å.
            cell: `(3, 3)`, rows are lattice vectors, in Å.
            periodic: Boolean `(3,)`.

        Example:
            >>> far = np.array([[1000.2, 0.0, 3.0]])
            >>> placement = Placement.of(far, np.diag([2.0, 0.0, 0.0]), np.array([True, False, False]))
            >>> placement.near(far, np.diag([2.0, 0.0, 0.0])).round(6).tolist()
            [[0.2, 0.0, 3.0]]
        """
        crossings, origin = np.zeros(positions.shape), np.zeros(3)
        if periodic.any():
            full = cell if periodic.all() else completed(cell, periodic)
            turns = np.floor(positions @ np.linalg.inv(full)) * periodic
            # All atoms or none, so that a structure whose atoms cross the boundary of its cell keeps its positions.
            if np.abs(turns).max(initial=0.0) > 1.0:
                crossings = turns
        if not periodic.all() and len(positions):
            middle = 0.5 * (positions.max(axis=0) + positions.min(axis=0))
            if periodic.any():
                # Only across the directions that repeat.
                across = full[~periodic] / np.linalg.norm(full[~periodic], axis=1, keepdims=True)
                middle = (middle @ across.T) @ across
            if np.linalg.norm(middle) > FAR:
                origin = middle
        return cls(crossings, origin)

    def near(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Positions near the origin in Å, from those of the user and the cell as it is now."""
        return positions - (self.crossings @ cell + self.origin)

    def restored(self, near: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Positions of the user in Å, from those near the origin and the cell as it is now."""
        return near + (self.crossings @ cell + self.origin)


# Distance in Å of the middle of a structure from the origin beyond which it is moved: single precision resolves 1e-5 Å there.
FAR = 100.0
