"""Constraints of ASE, as the directions in which each atom may move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.constraints import FixConstraint
from keras import ops

if TYPE_CHECKING:
    from ase import Atoms

# Constraints that leave each atom a plane, a line or a point.
HONORED = ("FixAtoms", "FixCartesian", "FixScaled", "FixedPlane", "FixedLine")


class FreeDirections:
    """Directions in which each atom of a structure may move, from the constraints of its `ase.Atoms`.

    `FixAtoms`, `FixCartesian`, `FixScaled`, `FixedPlane` and `FixedLine` leave an atom a plane, a line or a point; several on one
    atom leave what they have in common.

    Args:
        atoms: The structure, with constraints or without.

    Attributes:
        projections: Matrices that project a vector of each atom onto its free directions, (atoms, 3, 3).
        held: Boolean (atoms,), whether an atom has less than three free directions.
        translations: Projection onto the directions in which all atoms may move together, (3, 3).
        count: Number of degrees of freedom.
        thermal: Number of degrees of freedom without the total momentum, where that is conserved; at least 1.

    Raises:
        ValueError: If the structure has a constraint of another kind. The message names it.

    Example:
        >>> from ase.build import bulk
        >>> from ase.constraints import FixAtoms, FixedPlane
        >>> atoms = bulk("Si", cubic=True)
        >>> FreeDirections(atoms).thermal
        21
        >>> atoms.set_constraint([FixAtoms([0, 1]), FixedPlane([2], (0, 0, 1))])
        >>> free = FreeDirections(atoms)
        >>> free.count, free.thermal, free.held.sum().item()
        (17, 17, 3)
    """

    def __init__(self, atoms: Atoms):
        if other := others(atoms):
            raise ValueError(
                f"{atoms.get_chemical_formula()} has constraints that are not honored here: {', '.join(other)}. Honored are "
                f"{', '.join(HONORED)}. Remove the others with atoms.set_constraint(), or use the optimizers and the molecular "
                "dynamics of ASE with keras_ff.Calculator."
            )
        if not atoms.constraints:
            # Nothing is stored for each of millions of atoms.
            self.projections = np.broadcast_to(np.eye(3), (len(atoms), 3, 3))
            self.held, self.translations = np.zeros(len(atoms), bool), np.eye(3)
            self.count = 3 * len(atoms)
            self.thermal = max(self.count - (3 if len(atoms) > 1 else 0), 1)
            return
        blocked = np.zeros((len(atoms), 3, 3))
        for constraint in atoms.constraints:
            blocked[constraint.index] += np.eye(3) - _projection(constraint, atoms)
        self.projections = _null_space(blocked)
        self.held = np.any(blocked != 0.0, axis=(1, 2))
        self.translations = _null_space(blocked.sum(axis=0))
        self.count = round(np.trace(self.projections, axis1=1, axis2=2).sum())
        common = round(np.trace(self.translations)) if len(atoms) > 1 else 0
        self.thermal = max(self.count - common, 1)

    def project(self, vectors: Any, projections: Any = None) -> Any:
        """Compute the parts of vectors along the free directions.

        Args:
            vectors: A vector of each atom, (..., atoms, 3), NumPy or tensor.
            projections: The attribute `projections` as a tensor, if the vectors are tensors.

        Returns:
            Vectors in the shape of `vectors`.
        """
        if projections is None and not self.held.any():
            return vectors
        if projections is None:
            return np.einsum("aij,...aj->...ai", self.projections, vectors)
        # No matrix product, which graphics processors may round.
        return ops.sum(projections * vectors[..., None, :], axis=-1)

    def hold(self, moved: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Positions without what has moved along directions that are not free: there they are those of the start, to all digits.

        Args:
            moved: Positions after a movement, (..., atoms, 3), in Å.
            start: Positions before it, (atoms, 3), in Å.

        Returns:
            Positions in the shape of `moved`.
        """
        if not self.held.any():
            return moved
        held = start + self.project(moved - start)
        return np.where(self.held[:, None], held, moved)


class Held(FixConstraint):
    """Constraint of ASE with the free directions of a structure, for the optimizers of ASE.

    Args:
        free: `FreeDirections`.
    """

    def __init__(self, free: FreeDirections):
        self.free = free

    def adjust_positions(self, atoms: Atoms, new: np.ndarray) -> None:
        """Keep positions along directions that are not free."""
        new[:] = self.free.hold(new, atoms.positions)

    def adjust_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        """Remove the forces along directions that are not free."""
        forces[:] = self.free.project(forces)

    def get_removed_dof(self, atoms: Atoms) -> int:
        """Return the number of coordinates that are not free."""
        return 3 * len(atoms) - self.free.count


def others(atoms: Atoms) -> list[str]:
    """Names of the constraints of a structure that leave an atom something else than a plane, a line or a point.

    Args:
        atoms: The structure.

    Returns:
        Sorted list of names of classes.
    """
    return sorted({type(one).__name__ for one in atoms.constraints} - set(HONORED))


def _projection(constraint, atoms):
    """Projection onto the directions that one constraint leaves free, (3, 3)."""
    name = type(constraint).__name__
    if name == "FixAtoms":
        return np.zeros((3, 3))
    if name == "FixCartesian":
        return np.diag((~np.asarray(constraint.mask)).astype(float))
    if name == "FixScaled":
        # Positions with some fractional coordinates constant: the others move an atom along their cell vectors.
        along = atoms.cell.complete()[:][~np.asarray(constraint.mask)]
        return np.linalg.pinv(along) @ along
    line = np.outer(constraint.dir, constraint.dir)
    return line if name == "FixedLine" else np.eye(3) - line


def _null_space(blocked):
    """Projections onto the vectors that symmetric matrices without negative eigenvalues map to zero, (..., 3, 3)."""
    values, vectors = np.linalg.eigh(blocked)
    free = (values < 1e-9).astype(float)
    return np.einsum("...ik,...k,...jk->...ij", vectors, free, vectors)
