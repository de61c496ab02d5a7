"""One structure as a model takes it: displaced, strained, relaxed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGSLineSearch
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.compiled import compiled
from keras_ff.data.batches import Batcher
from keras_ff.data.label_search import without_labels
from keras_ff.data.pymatgen import to_atoms, to_structure
from keras_ff.interfaces.calculator import ModelCalculator
from keras_ff.simulation.constraints import HONORED, FreeDirections, Held, others
from keras_ff.simulation.start import check_model

if TYPE_CHECKING:
    import keras
    from pymatgen.core import Molecule, Structure

# Most of Newton's steps after the search of ASE. They share one Hessian, and each adds some three digits.
NEWTON_STEPS = 8
SMALLEST_STEP = 1e-12

# Energies for each step of the search of ASE, which needs two or three.
EVALUATIONS = 50

# A longer step of Newton's method, in Å or strain, is along modes so soft that it may leave the minimum.
LARGEST_STEP = 0.1

# The Hessian of these steps are differences of gradients on both sides, so far away in Å or strain: it costs no compilation of
# second derivatives. Eigenvalues below the fraction of the largest are noise of the differences, or of motions without energy.
DIFFERENCE, SMALLEST_STIFFNESS = {"float64": 1e-5, "float32": 5e-3}, {"float64": 1e-8, "float32": 1e-3}

# Atoms of the displaced copies of a structure whose gradients are computed together.
TOGETHER = 2048

# Constraint that Newton's steps keep by themselves: the step of a symmetric structure is symmetric.
SYMMETRY = "FixSymmetry"

# A relaxed structure with an eigenvalue of the Hessian below minus this, in eV/Å², is a saddle point.
LARGEST_SOFTNESS = 1e-3


def deformed(batch: dict, changes) -> dict:
    """Copies of a structure, each displaced and strained: r -> (r + u)(1 + strain).

    Args:
        batch: Dict of arrays of one structure.
        changes: Coordinates of each copy, `(copies, 3 atoms + 6)`: displacements u of the atoms in Å, then the strains xx yy zz yz
            xz xy, where a shear strain is the sum of both off-diagonal elements. Without strains `(copies, 3 atoms)`.

    Returns:
        Batch of all copies.
    """
    batch = {name: ops.convert_to_tensor(value) for name, value in batch.items()}
    copies, n = changes.shape[0], batch["positions"].shape[1]
    positions = batch["positions"] + ops.reshape(changes[:, : 3 * n], (copies, n, 3))
    copied = {name: ops.repeat(value, copies, axis=0) for name, value in batch.items() if name != "positions"}
    if changes.shape[1] == 3 * n:
        return {**copied, "positions": positions}
    xx, yy, zz, yz, xz, xy = (changes[:, 3 * n + index] for index in range(6))
    yz, xz, xy = 0.5 * yz, 0.5 * xz, 0.5 * xy
    deformation = ops.stack([1.0 + xx, xy, xz, xy, 1.0 + yy, yz, xz, yz, 1.0 + zz], axis=-1)
    deformation = ops.reshape(deformation, (copies, 3, 3))
    return {**copied, "positions": ops.matmul(positions, deformation), "cell": ops.matmul(copied["cell"], deformation)}


def energy_of(model: keras.Model, batch: dict) -> Callable:
    """Return the function from changes as in `deformed`, `(copies, size)`, to the sum of the energies of all copies in eV.

    Copies do not interact, so that derivatives of the sum are those of each copy: many rows of a Hessian come from one pass.
    """
    return lambda changes: ops.sum(model.total_energy(deformed(batch, changes)))


def derivatives(model: keras.Model, batch: dict, cell: bool):
    """First and second derivatives of the energy with respect to all changes of `deformed`, in one pass.

    Its time grows as the square of the number of atoms, and it works for every model and with strains. `ForceConstants` and
    `Phonons` use `local_hessians` instead, whose time grows linearly, for models without a long-range part; `hessian` computes the
    rows in groups, in little memory.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        cell: Whether the six strains are among the coordinates.

    Returns:
        Tuple of the gradient `(size,)` and the Hessian `(size, size)`, with size 3 atoms, or 3 atoms + 6; in eV, Å and strain.
    """
    size = 3 * batch["positions"].shape[1] + (6 if cell else 0)
    # A copy of the structure for each row.
    gradients, pullback = backend.vjp(backend.grad(energy_of(model, batch)), np.zeros((size, size), model.compute_dtype))
    return gradients[0], pullback(np.eye(size, dtype=model.compute_dtype))[0]


def gradients(model: keras.Model, batch: dict, changes):
    """First derivatives of the energy of copies of a structure, each at its own changes.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        changes: Coordinates of each copy as in `deformed`, `(copies, size)`.

    Returns:
        Tensor `(copies, size)` in eV, Å and strain.
    """
    return backend.grad(energy_of(model, batch))(changes)


def in_groups(model: keras.Model, derivative: Callable, rows: list[np.ndarray], batch: dict, size: int) -> np.ndarray:
    """A derivative of the energy for each of many rows, some at a time: in bounded memory, and with a single compilation.

    Args:
        model: `ForceField`.
        derivative: Function of the model, the batch and groups of rows, such as `gradients`, that returns as many rows.
        rows: Arrays of equal shapes, `(rows, coordinates)`, for the arguments of the function.
        batch: Dict of arrays of one structure.
        size: Number of rows of a group, each with a copy of the structure in memory.

    Returns:
        NumPy array `(rows, coordinates)` in the dtype of the model.
    """
    function = compiled(model, derivative)
    count = len(rows[0])
    size = min(int(size), count)
    results = np.empty(rows[0].shape, model.compute_dtype)
    for first in range(0, count, size):
        # The last rows are computed again rather than a smaller number of them, which would be compiled anew.
        group = slice(min(first, count - size), min(first, count - size) + size)
        results[group] = ops.convert_to_numpy(function(batch, *(array[group].astype(model.compute_dtype) for array in rows)))
    return results


def hessian_by_differences(model: keras.Model, batch: dict, size: int, together: int) -> np.ndarray:
    """Second derivatives of the energy from differences of its gradients, symmetric, NumPy float64 `(size, size)`.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        size: Number of the changes of `deformed`.
        together: Number of displaced copies that are computed at a time.
    """
    step = DIFFERENCE[model.compute_dtype]
    rows = in_groups(model, gradients, [step * np.concatenate([np.eye(size), -np.eye(size)])], batch, together).astype("float64")
    hessian = (rows[:size] - rows[size:]) / (2.0 * step)
    return 0.5 * (hessian + hessian.T)


def free_directions(atoms: Atoms) -> FreeDirections:
    """Free directions of the atoms of a structure that relaxes; a constraint of symmetry leaves all free.

    Args:
        atoms: The structure.

    Returns:
        `FreeDirections`.

    Raises:
        ValueError: If the structure has a constraint that is not honored.
    """
    atoms = atoms.copy()
    atoms.set_constraint([one for one in atoms.constraints if type(one).__name__ != SYMMETRY])
    return FreeDirections(atoms)


def without_translations(hessian, atoms: int, translations: np.ndarray | None = None):
    """Hessian with a stiffness against uniform translations, which cost no energy, so that it can be inverted.

    Args:
        hessian: `(size, size)`; the first 3 `atoms` coordinates are the displacements of the atoms.
        atoms: Number of atoms.
        translations: Projection onto the directions of these translations, (3, 3); all directions by default.

    Returns:
        Tensor `(size, size)`.
    """
    size = hessian.shape[0]
    shift = np.zeros((size, size))
    shift[: 3 * atoms, : 3 * atoms] = np.tile(np.eye(3) if translations is None else translations, (atoms, atoms)) / atoms
    stiffness = backend.stop_gradient(ops.sum(ops.abs(ops.diagonal(hessian)))) / size + 1.0
    return hessian + stiffness * ops.convert_to_tensor(shift, dtype=hessian.dtype)


def newton_step(model: keras.Model, batch: dict, cell: bool, free: FreeDirections) -> dict:
    """Structure after one step of Newton's method towards the minimum of the energy.

    At a minimum the step is 0, and its derivatives with respect to the weights of the model are those of the minimum itself
    (implicit function theorem): the Hessian that it divides by counts as a constant.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        cell: Whether the cell relaxes too.
        free: Free directions of its atoms.

    Returns:
        Batch after the step.
    """
    gradient, second = derivatives(model, batch, cell)
    second = backend.stop_gradient(second)
    # Atoms without neighbors have no stiffness, and feel no force.
    loose = ops.cast(ops.all(second == 0.0, axis=1), second.dtype)
    stiffness = without_translations(second, batch["positions"].shape[1], free.translations)
    stiffness = stiffness + ops.diag(loose)
    if free.held.any():
        kept = ops.convert_to_tensor(_projection(free, second.shape[0]), dtype=second.dtype)
        identity = ops.convert_to_tensor(np.eye(second.shape[0]), dtype=second.dtype)
        stiffness = ops.matmul(kept, ops.matmul(stiffness, kept)) + identity - kept
        gradient = ops.matmul(kept, gradient[:, None])[:, 0]
    step = -ops.solve(stiffness, gradient[:, None])[:, 0]
    return deformed(batch, step[None])


def _projection(free, size):
    """Projection of all coordinates of `deformed` onto the free ones, NumPy `(size, size)`."""
    kept = np.eye(size)
    for atom in np.flatnonzero(free.held):
        kept[3 * atom : 3 * atom + 3, 3 * atom : 3 * atom + 3] = free.projections[atom]
    return kept


class BoundedSearch(BFGSLineSearch):
    """Quasi-Newton search of ASE whose line search ends, where energies are so steep that it does not by itself."""

    def func(self, x: np.ndarray) -> float:
        """Compute the energy, and raise a RuntimeError after too many times."""
        if self.function_calls > EVALUATIONS * (self.nsteps + 1):
            raise RuntimeError("the search along the forces does not end")
        return super().func(x)


class Relaxation:
    """Relaxes structures; what it has compiled serves for the next one. `relax` is the function for a single structure.

    The quasi-Newton search of ASE comes first, then a few steps of Newton's method for the last digits.

    Args:
        model: `ForceField`.
        cell: Whether the cell relaxes too.
    """

    def __init__(self, model: keras.Model, cell: bool = True):
        self.model, self.cell = model, bool(cell)
        self._calculator, self._batcher = ModelCalculator(model), Batcher.of(model)

    def __call__(self, atoms: Atoms, force: float = 1e-3, steps: int = 500) -> Atoms:
        """Return a relaxed copy of a structure; arguments and errors are those of `relax`."""
        atoms, force, steps = without_labels(atoms), positive("force", force, "eV/Å"), whole("steps", steps, 0)
        constraints = list(atoms.constraints)
        self._check(atoms)
        # Newton's steps know no constraints but those of single atoms: the search of ASE honors the others.
        free = None if set(others(atoms)) - {SYMMETRY} else free_directions(atoms)
        if free is not None and free.held.any():
            atoms.set_constraint(Held(free))
        self._search(atoms, force, steps)
        if free is not None and free.count:
            self._refine(atoms, free)
        atoms.set_constraint(constraints)
        return atoms

    def _check(self, atoms):
        """Raise an error if the structure cannot relax."""
        if not len(atoms):
            raise ValueError("The structure has no atoms.")
        if self.cell and not atoms.pbc.all():
            raise ValueError(
                f"The cell of {atoms.get_chemical_formula()} cannot relax: a stress needs three periodic directions. Received "
                f"pbc={atoms.pbc.tolist()}. Relax the atoms alone with cell=False."
            )
        if self.cell and (fixed := sorted({type(one).__name__ for one in atoms.constraints}.intersection(HONORED))):
            raise ValueError(
                f"The cell of {atoms.get_chemical_formula()} cannot relax: it would move the atoms that constraints hold "
                f"({', '.join(fixed)}). Relax the atoms alone with cell=False, or remove the constraints with "
                "atoms.set_constraint()."
            )

    def _search(self, atoms, force, steps):
        """Relax a structure by the search of ASE."""
        # A weight of the model may have changed since the last call.
        self._calculator.reset()
        atoms.calc = self._calculator
        name = atoms.get_chemical_formula()
        if not np.isfinite(atoms.get_potential_energy()) or not np.isfinite(atoms.get_forces()).all():
            raise ValueError(
                f"The energy or the forces of {name} are not finite. Look at its shortest distances, and at the weights of the "
                "model."
            )
        search = BoundedSearch(FrechetCellFilter(atoms) if self.cell else atoms, logfile=None)
        try:
            relaxed = search.run(fmax=force, steps=steps)
        # Whatever ASE or the neighbor search meet in a structure that has flown apart.
        except (ArithmeticError, ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            raise ValueError(
                f"The relaxation of {name} failed in step {search.nsteps + 1}: {str(error).rstrip('.!')}. Does the model know such "
                "structures? Start closer to the minimum."
            ) from error
        if not relaxed:
            forces = np.abs(atoms.get_forces()).max(axis=1)
            raise ValueError(
                f"{name} has not relaxed within {steps} steps: a force component is {forces.max():.3g} eV/Å, on atom "
                f"{int(forces.argmax())}. Start closer to the minimum, or raise steps."
            )
        atoms.calc = None

    def _refine(self, atoms, free):
        """Move a structure to the minimum next to it by Newton's method, and warn if it is none."""
        size = 3 * len(atoms) + (6 if self.cell else 0)
        kept, dtype, values = _projection(free, size), self.model.compute_dtype, None
        together = min(2 * size, max(1, TOGETHER // len(atoms)))
        for _ in range(NEWTON_STEPS):
            record = self._batcher.record(atoms)
            batch = self._batcher.exact([record])
            if values is None:
                # So near the minimum the Hessian hardly changes any more.
                values, modes = np.linalg.eigh(kept @ hessian_by_differences(self.model, batch, size, together) @ kept)
                stiff = np.abs(values) > SMALLEST_STIFFNESS[dtype] * np.abs(values).max()
            # In a group of the same size, which is compiled.
            gradient = in_groups(self.model, gradients, [np.zeros((together, size))], batch, together)[0].astype("float64")
            along = np.divide(modes.T @ (kept @ gradient), values, out=np.zeros(size), where=stiff)
            step = -kept @ (modes @ along)
            if not np.abs(step).max() < LARGEST_STEP:
                break
            moved = {name: ops.convert_to_numpy(x) for name, x in deformed(batch, step[None].astype(dtype)).items()}
            if self.cell:
                atoms.cell = moved["cell"][0]
            atoms.positions = free.hold(record["placement"].restored(moved["positions"][0], atoms.cell.array), atoms.positions)
            if np.abs(step).max() < SMALLEST_STEP:
                break
        if values[0] < -LARGEST_SOFTNESS:
            warnings.warn(
                f"{atoms.get_chemical_formula()} is relaxed but not stable: the energy falls along a mode with a stiffness of "
                f"{values[0]:.3g} eV/Å². Displace the atoms and relax again, or use a larger cell.",
                stacklevel=4,
            )


def relax(
    model: keras.Model, atoms: Atoms | Structure | Molecule, cell: bool | None = None, force: float = 1e-3, steps: int = 500
) -> Atoms | Structure | Molecule:
    """Relax a structure: return a copy at a minimum of the energy of a model, to the last digits.

    The quasi-Newton search of ASE comes first, then a few steps of Newton's method, which need float64 to improve on it. The copy
    has no labels (energies, forces) of the structure that was given.

    Constraints of ASE are honored: what `FixAtoms`, `FixCartesian`, `FixScaled`, `FixedPlane` and `FixedLine` hold stays exactly
    where it is. With constraints of several atoms, such as `FixBondLengths`, the search of ASE is all, and ends at `force`.

    Args:
        model: `ForceField`, in float64.
        atoms: `ase.Atoms`, or a `Structure` or `Molecule` of pymatgen.
        cell: Whether the cell relaxes too; by default that of structures that are periodic in three directions and have no
            constraints, other than `FixSymmetry`.
        force: Largest force in eV/Å at which the search of ASE ends.
        steps: Largest number of steps of the search.

    Returns:
        The relaxed structure, of the type of `atoms`.

    Raises:
        TypeError: If the model is no `ForceField`.
        ValueError: If the search does not reach `force` within `steps` or leaves what the model knows, the structure is broken, or
            `cell` is True and the structure is not periodic in three directions or has atoms that are held.

    Warns:
        UserWarning: If the result is a saddle point and no minimum, which makes the structure unstable.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> crystal = kff.properties.relax(model, bulk("Si", "diamond", a=5.5, cubic=True))
        >>> crystal.cell.lengths().round(4).tolist()
        [5.4309, 5.4309, 5.4309]
    """
    check_model(model)
    structure = to_atoms(atoms)
    if cell is None:
        cell = structure.pbc.all() and {type(one).__name__ for one in structure.constraints} <= {SYMMETRY}
    relaxed = Relaxation(model, cell)(structure, force, steps)
    return relaxed if isinstance(atoms, Atoms) else to_structure(relaxed)
