"""One structure as a model takes it: displaced, strained, at rest."""

import warnings

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

# Newton's steps of the last digits; from forces that ASE leaves they double the digits each.
NEWTON_STEPS = 4
SMALLEST_STEP = 1e-12

# A structure at rest whose smallest second derivative is below minus this, in eV/Å², is a saddle.
LARGEST_SOFTNESS = 1e-3


def deformed(batch, changes):
    """Copies of a structure with changed coordinates, r -> (r + u)(1 + strain).

    Args:
        batch: Of one structure.
        changes: For each copy the displacements of the atoms, then six strains xx yy zz yz xz xy, shear as the sum of both halves:
            `(copies, 3 atoms + 6)`, or without strains `(copies, 3 atoms)`; Å and 1.
    """
    batch = {name: ops.convert_to_tensor(value) for name, value in batch.items()}
    copies, n = changes.shape[0], batch["positions"].shape[1]
    positions = batch["positions"] + ops.reshape(changes[:, : 3 * n], (copies, n, 3))
    copied = {name: ops.repeat(value, copies, axis=0) for name, value in batch.items() if name != "positions"}
    if changes.shape[1] == 3 * n:
        return {**copied, "positions": positions}
    xx, yy, zz, yz, xz, xy = (changes[:, 3 * n + place] for place in range(6))
    yz, xz, xy = 0.5 * yz, 0.5 * xz, 0.5 * xy
    deformation = ops.stack([1.0 + xx, xy, xz, xy, 1.0 + yy, yz, xz, yz, 1.0 + zz], axis=-1)
    deformation = ops.reshape(deformation, (copies, 3, 3))
    return {**copied, "positions": ops.matmul(positions, deformation), "cell": ops.matmul(copied["cell"], deformation)}


def derivatives(model, batch, cell):
    """First and second derivatives of the energy by the change in `deformed`, `(size,)` and `(size, size)`.

    Args:
        model: `ForceField`.
        batch: Of one structure.
        cell: Whether strains are among the coordinates.
    """
    size = 3 * batch["positions"].shape[1] + (6 if cell else 0)

    def energy(changes):
        return ops.sum(model.total_energy(deformed(batch, changes)))

    # A copy of the structure for each row: rows of all copies come from one pass, without a transformation over them.
    gradients, pullback = backend.vjp(backend.grad(energy), np.zeros((size, size), model.compute_dtype))
    return gradients[0], pullback(np.eye(size, dtype=model.compute_dtype))[0]


def without_translations(hessian, atoms):
    """A Hessian whose first coordinates are those of atoms, with a stiffness against uniform translations, which cost nothing."""
    size = hessian.shape[0]
    shift = np.zeros((size, size))
    shift[: 3 * atoms, : 3 * atoms] = np.tile(np.eye(3), (atoms, atoms)) / atoms
    stiffness = backend.stop_gradient(ops.sum(ops.abs(ops.diagonal(hessian)))) / size + 1.0
    return hessian + stiffness * ops.convert_to_tensor(shift, dtype=hessian.dtype)


def rest(model, batch, cell):
    """The batch after one step of Newton towards rest, that step, and the second derivatives it divided by.

    From a minimum the step is 0, and its derivatives by the weights of the model are those of the minimum itself (the implicit
    function theorem): the second derivatives it divides by count as constants.
    """
    gradient, second = derivatives(model, batch, cell)
    stiffness = without_translations(backend.stop_gradient(second), batch["positions"].shape[1])
    step = -ops.solve(stiffness, gradient[:, None])[:, 0]
    return deformed(batch, step[None]), step, second


class Relaxation:
    """Brings structures to rest: ASE's quasi-Newton search first, Newton's steps for the last digits. What it compiles it keeps.

    Args:
        model: `ForceField`.
        cell: Whether the cell relaxes too.
    """

    def __init__(self, model, cell=True):
        self.model, self.cell = model, bool(cell)
        self._calculator, self._batcher = Calculator(model), Batcher.of(model)
        self._newton = backend.jit(lambda batch: rest(model, batch, self.cell), layer=model)

    def __call__(self, atoms, force=1e-3, steps=500):
        """A copy of the structure at rest; see `relax`."""
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
                f"{atoms.get_chemical_formula()} has not come to rest in {steps} steps: a force component is {largest:.3g} eV/Å. "
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
                f"{atoms.get_chemical_formula()} is at rest but not stable: the energy falls along a mode with a stiffness of "
                f"{lowest:.3g} eV/Å². Displace the atoms and relax again, or use a larger cell.",
                stacklevel=3,
            )
        return atoms


def relax(model, atoms, cell=None, force=1e-3, steps=500):
    """A copy of a structure at rest: `ase.Atoms` of these, a pymatgen `Structure` of one. Labels of before are left out.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms`, or a `Structure` or `Molecule` of pymatgen.
        cell: Whether the cell relaxes too; by default if it is periodic in three directions, and atoms alone otherwise.
        force: Largest force in eV/Å that the search leaves to Newton's steps.
        steps: Most steps of the search.

    Raises:
        ValueError: If the search does not come to rest, or the cell of a structure shall relax that is not periodic.

    Warns:
        If the structure found is no minimum but a saddle: it is unstable.
    """
    structure = to_atoms(atoms)
    relaxed = Relaxation(model, structure.pbc.all() if cell is None else cell)(structure, force, steps)
    return relaxed if isinstance(atoms, Atoms) else to_structure(relaxed)
