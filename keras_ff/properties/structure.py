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
from keras_ff.data.batches import Batcher
from keras_ff.data.labels import without_labels
from keras_ff.data.pymatgen import to_atoms, to_structure
from keras_ff.interfaces.ase import Calculator

if TYPE_CHECKING:
    import keras
    from pymatgen.core import Molecule, Structure

# Newton's steps after the search of ASE; each doubles the number of digits.
NEWTON_STEPS = 4
SMALLEST_STEP = 1e-12

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


def without_translations(hessian, atoms: int):
    """Hessian with a stiffness against uniform translations, which cost no energy, so that it can be inverted.

    Args:
        hessian: `(size, size)`; the first 3 `atoms` coordinates are the displacements of the atoms.
        atoms: Number of atoms.

    Returns:
        Tensor `(size, size)`.
    """
    size = hessian.shape[0]
    shift = np.zeros((size, size))
    shift[: 3 * atoms, : 3 * atoms] = np.tile(np.eye(3), (atoms, atoms)) / atoms
    stiffness = backend.stop_gradient(ops.sum(ops.abs(ops.diagonal(hessian)))) / size + 1.0
    return hessian + stiffness * ops.convert_to_tensor(shift, dtype=hessian.dtype)


def newton_step(model: keras.Model, batch: dict, cell: bool):
    """One step of Newton's method towards the minimum of the energy.

    At a minimum the step is 0, and its derivatives with respect to the weights of the model are those of the minimum itself
    (implicit function theorem): the Hessian that it divides by counts as a constant.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        cell: Whether the cell relaxes too.

    Returns:
        Tuple of the batch after the step, the step `(size,)` in the coordinates of `deformed`, and the Hessian `(size, size)`.
    """
    gradient, second = derivatives(model, batch, cell)
    stiffness = without_translations(backend.stop_gradient(second), batch["positions"].shape[1])
    step = -ops.solve(stiffness, gradient[:, None])[:, 0]
    return deformed(batch, step[None]), step, second


class Relaxation:
    """Relaxes structures; what it has compiled serves for the next one. `relax` is the function for a single structure.

    The quasi-Newton search of ASE comes first, then a few steps of Newton's method for the last digits.

    Args:
        model: `ForceField`.
        cell: Whether the cell relaxes too.
    """

    def __init__(self, model: keras.Model, cell: bool = True):
        self.model, self.cell = model, bool(cell)
        self._calculator, self._batcher = Calculator(model), Batcher.of(model)
        self._newton = backend.jit(lambda batch: newton_step(model, batch, self.cell), layer=model)

    def __call__(self, atoms: Atoms, force: float = 1e-3, steps: int = 500) -> Atoms:
        """Return a relaxed copy of a structure; arguments and errors are those of `relax`."""
        atoms = without_labels(atoms)
        if self.cell and not atoms.pbc.all():
            raise ValueError(
                f"The cell of {atoms.get_chemical_formula()} cannot relax: a stress needs three periodic directions. Received "
                f"pbc={atoms.pbc.tolist()}. Relax the atoms alone with cell=False."
            )
        # A weight of the model may have changed since the last call.
        self._calculator.reset()
        atoms.calc = self._calculator
        search = BFGSLineSearch(FrechetCellFilter(atoms) if self.cell else atoms, logfile=None)
        if not search.run(fmax=force, steps=steps):
            largest = np.abs(atoms.get_forces()).max()
            raise ValueError(
                f"{atoms.get_chemical_formula()} has not relaxed within {steps} steps: a force component is {largest:.3g} eV/Å. "
                "Start closer to the minimum, or raise steps."
            )
        atoms.calc = None
        for _ in range(NEWTON_STEPS):
            record = self._batcher.record(atoms)
            moved, step, second = self._newton(self._batcher.exact([record]))
            if self.cell:
                atoms.cell = ops.convert_to_numpy(moved["cell"])[0]
            atoms.positions = record["placement"].restored(ops.convert_to_numpy(moved["positions"])[0], atoms.cell.array)
            if np.abs(ops.convert_to_numpy(step)).max() < SMALLEST_STEP:
                break
        lowest = np.linalg.eigvalsh(ops.convert_to_numpy(second))[0]
        if lowest < -LARGEST_SOFTNESS:
            warnings.warn(
                f"{atoms.get_chemical_formula()} is relaxed but not stable: the energy falls along a mode with a stiffness of "
                f"{lowest:.3g} eV/Å². Displace the atoms and relax again, or use a larger cell.",
                stacklevel=3,
            )
        return atoms


def relax(
    model: keras.Model, atoms: Atoms | Structure | Molecule, cell: bool | None = None, force: float = 1e-3, steps: int = 500
) -> Atoms | Structure | Molecule:
    """Relax a structure: return a copy at a minimum of the energy of a model, to the last digits.

    The quasi-Newton search of ASE comes first, then a few steps of Newton's method, which need float64 to improve on it. The copy
    has no labels (energies, forces) of the structure that was given.

    Args:
        model: `ForceField`, in float64.
        atoms: `ase.Atoms`, or a `Structure` or `Molecule` of pymatgen.
        cell: Whether the cell relaxes too; by default that of structures that are periodic in three directions.
        force: Largest force in eV/Å at which the search of ASE ends.
        steps: Largest number of steps of the search.

    Returns:
        The relaxed structure, of the type of `atoms`.

    Raises:
        ValueError: If the search does not reach `force` within `steps`, or `cell` is True and the structure is not periodic in
            three directions.

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
    structure = to_atoms(atoms)
    relaxed = Relaxation(model, structure.pbc.all() if cell is None else cell)(structure, force, steps)
    return relaxed if isinstance(atoms, Atoms) else to_structure(relaxed)
