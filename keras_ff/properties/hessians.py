"""Second and third derivatives of the energy with respect to positions, some rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import structure_batch
from keras_ff.properties.base import Property
from keras_ff.properties.structure import energy_of, in_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from ase import Atoms


class HessianProducts(Property):
    """Products of the Hessian of the energy with displacements, `(displacements, atoms, 3)` in eV/Å².

    They are the derivatives of minus the forces along the displacements: what finite differences of DFT forces give. Each costs as
    much as a few evaluations of the forces. A model is trained on them with `keras_ff.fitting.Target`, beside other data:

        products = HessianProducts(model, atoms, displacements)
        Fit(model, {"curvature": Target(products, labels), "data": DataTarget(structures, model)})

    For the Hessian itself use `ForceConstants` (differentiable) or `hessian` (NumPy, in little memory).

    Args:
        model: `ForceField`, in float64.
        atoms: Structure, with or without periodic directions, as `ase.Atoms`.
        displacements: `(displacements, atoms, 3)`; the products are per unit of their length.
        free: Which coordinates are relaxed: None, "atoms" or "cell". See `Property`.

    Raises:
        ValueError: If the displacements have another shape.

    Example:
        A translation of both atoms changes no force; a displacement of one of them changes both by the same amount:

        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"]))
        >>> dimer = Atoms("Cu2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> both, one = [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 1]]
        >>> products = kff.properties.HessianProducts(model, dimer, [both, one])
        >>> products()[:, :, 2].round(3).tolist()
        [[0.0, 0.0], [-1.056, 1.056]]
    """

    def __init__(self, model: keras.Model, atoms: Atoms, displacements, free: str | None = None):
        self.displacements = np.asarray(displacements, dtype="float64")
        if self.displacements.ndim != 3 or self.displacements.shape[1:] != (len(atoms), 3):
            raise ValueError(f"Displacements are (displacements, {len(atoms)}, 3). Received shape {self.displacements.shape}.")
        super().__init__(model, atoms, free)

    def compute(self, batch: dict):
        """Compute the products for a batch of one structure, `(displacements, atoms, 3)` in eV/Å²."""
        rows = ops.convert_to_tensor(self.displacements, dtype=self.model.compute_dtype)
        rows = second(self.model, batch, ops.reshape(rows, (len(self.displacements), -1)))
        return ops.reshape(rows, self.displacements.shape)


def hessian(model: keras.Model, atoms: Atoms, chunk: int = 32) -> np.ndarray:
    """Second derivatives of the energy with respect to the positions in eV/Å², NumPy `(3 atoms, 3 atoms)`, in little memory.

    The memory is that of `chunk` copies of the structure. `ForceConstants` returns the same numbers: its time grows more slowly
    with the number of atoms, and it is differentiable with respect to the weights, but it needs more memory. Use `hessian` where
    that does not suffice.

    Args:
        model: `ForceField`, in float64 for more than a few digits.
        atoms: Structure, with or without periodic directions.
        chunk: Number of rows that are computed at a time.

    Returns:
        Array whose rows and columns are x, y, z of the first atom, x, y, z of the second, ...

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"]))
        >>> dimer = Atoms("Cu2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> kff.properties.hessian(model, dimer)[2, [2, 5]].round(3).tolist()
        [1.056, -1.056]
    """
    size = 3 * len(atoms)
    return in_groups(model, second, [np.eye(size)], structure_batch(model, atoms), chunk)


def third_order(model: keras.Model, atoms: Atoms, indices: Sequence[int] | None = None, chunk: int = 32) -> np.ndarray:
    """Third derivatives of the energy with respect to the positions in eV/Å³, NumPy `(3 chosen, 3 atoms, 3 atoms)`.

    These are the third-order force constants that thermal conductivity needs. For a supercell of a crystal those of the atoms of
    one primitive cell determine all others. The array takes 8 x 27 x chosen x atoms² bytes.

    Args:
        model: `ForceField`, in float64 for more than a few digits.
        atoms: Structure, with or without periodic directions.
        indices: Indices of the chosen atoms, to which the first axis belongs; all atoms by default.
        chunk: Number of rows that are computed at a time, each with a copy of the structure in memory.

    Returns:
        Array whose axes run over x, y, z of the first atom, x, y, z of the second, ...

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"]))
        >>> dimer = Atoms("Cu2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> constants = kff.properties.third_order(model, dimer, indices=[0])
        >>> constants.shape
        (3, 6, 6)
        >>> bool(abs(constants[2, 2, 2] + constants[2, 2, 5]) < 1e-9)
        True
    """
    size = 3 * len(atoms)
    indices = np.arange(len(atoms)) if indices is None else np.asarray(indices)
    chosen = np.eye(size).reshape(len(atoms), 3, size)[indices].reshape(-1, size)
    pairs = [np.repeat(chosen, size, axis=0), np.tile(np.eye(size), (len(chosen), 1))]
    return in_groups(model, third, pairs, structure_batch(model, atoms), chunk).reshape(len(chosen), size, size)


def second(model: keras.Model, batch: dict, u):
    """Rows of the Hessian: derivatives of the energy along `u` and with respect to the positions, `(rows, 3 atoms)` in eV/Å².

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        u: Directions, `(rows, 3 atoms)`.
    """
    return backend.hvp(energy_of(model, batch), ops.zeros_like(u), u)


def third(model: keras.Model, batch: dict, u, v):
    """Third derivatives of the energy along `u`, along `v`, and with respect to the positions, `(rows, 3 atoms)` in eV/Å³.

    Args:
        model: `ForceField`.
        batch: Dict of arrays of one structure.
        u: First directions, `(rows, 3 atoms)`.
        v: Second directions, `(rows, 3 atoms)`.
    """
    return backend.vjp(lambda changes: backend.hvp(energy_of(model, batch), changes, u), ops.zeros_like(u))[1](v)[0]
