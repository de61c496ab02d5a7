"""Second and third derivatives of the energy by positions, some rows at a time."""

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import structure_batch
from keras_ff.properties.base import Property
from keras_ff.properties.structure import deformed


class HessianProducts(Property):
    """Products of the Hessian of the energy with displacements, `(displacements, atoms, 3)` in eV/Å².

    They are the derivatives of minus the forces along the displacements, each for the price of a few forces: what finite
    differences of DFT forces give. A model is trained on them with `keras_ff.fitting.Target`, beside other data:

        products = HessianProducts(model, atoms, displacements)
        Fit(model, {"curvature": Target(products, labels), "data": DataTarget(structures, model)})

    Args:
        model: `ForceField`.
        atoms: Structure, with or without periodic directions.
        displacements: `(displacements, atoms, 3)`, in units of which the products are.
        free: See `Property`.

    Raises:
        ValueError: If the displacements are not those of the atoms.
    """

    def __init__(self, model, atoms, displacements, free=None):
        self.displacements = np.asarray(displacements, dtype="float64")
        if self.displacements.ndim != 3 or self.displacements.shape[1:] != (len(atoms), 3):
            raise ValueError(f"Displacements are (displacements, {len(atoms)}, 3). Received shape {self.displacements.shape}.")
        super().__init__(model, atoms, free)

    def compute(self, batch):
        rows = ops.convert_to_tensor(self.displacements, dtype=self.model.compute_dtype)
        rows = second(self.model, batch, ops.reshape(rows, (len(self.displacements), -1)))
        return ops.reshape(rows, self.displacements.shape)


def hessian(model, atoms, chunk=32):
    """Second derivatives of the energy by the positions of the atoms, `(3 atoms, 3 atoms)` in eV/Å², NumPy.

    As `ForceConstants`, whose time grows more slowly with the atoms, but in little memory: that of `chunk` copies of the structure.

    Args:
        model: `ForceField`, in float64 for more than some digits.
        atoms: `ase.Atoms`.
        chunk: Number of rows computed at a time.
    """
    size = 3 * len(atoms)
    return _in_chunks(model, second, [np.eye(size)], structure_batch(model, atoms), chunk)


def third_order(model, atoms, of=None, chunk=32):
    """Third derivatives of the energy by the positions, `(3 chosen atoms, 3 atoms, 3 atoms)` in eV/Å³, NumPy.

    The chosen atoms come first; for a supercell of a crystal those of one primitive cell determine the others. All of it takes
    8 x 27 x atoms³ bytes, and with one atom chosen 8 x 27 x atoms².

    Args:
        model: `ForceField`, in float64 for more than some digits.
        atoms: `ase.Atoms`.
        of: Numbers of the chosen atoms, all by default.
        chunk: Number of rows computed at a time, each a copy of the structure in memory.
    """
    size = 3 * len(atoms)
    of = np.arange(len(atoms)) if of is None else np.asarray(of)
    chosen = np.eye(size).reshape(len(atoms), 3, size)[of].reshape(-1, size)
    pairs = [np.repeat(chosen, size, axis=0), np.tile(np.eye(size), (len(chosen), 1))]
    return _in_chunks(model, third, pairs, structure_batch(model, atoms), chunk).reshape(len(chosen), size, size)


def second(model, batch, u):
    """Derivatives of the energy along u and by the positions, `(rows, 3 atoms)` as u."""
    return backend.hvp(_energy(model, batch), ops.zeros_like(u), u)


def third(model, batch, u, v):
    """Derivatives of the energy along u, along v, and by the positions, `(rows, 3 atoms)` as u and v."""
    return backend.vjp(lambda changes: backend.hvp(_energy(model, batch), changes, u), ops.zeros_like(u))[1](v)[0]


def _energy(model, batch):
    """From displacements of copies of the structure, `(copies, 3 atoms)`, to the sum of their energies."""
    return lambda changes: ops.sum(model.total_energy(deformed(batch, changes)))


def _in_chunks(model, derivative, directions, batch, chunk):
    """A derivative along rows of directions, some of them at a time."""
    compiled = backend.jit(lambda batch, *rows: derivative(model, batch, *rows), layer=model)
    count = len(directions[0])
    chunk = min(int(chunk), count)
    found = np.empty(directions[0].shape, model.compute_dtype)
    for first in range(0, count, chunk):
        # The last rows are computed again rather than a smaller number of them, which would be compiled anew.
        rows = slice(min(first, count - chunk), min(first, count - chunk) + chunk)
        found[rows] = ops.convert_to_numpy(compiled(batch, *(part[rows].astype(model.compute_dtype) for part in directions)))
    return found
