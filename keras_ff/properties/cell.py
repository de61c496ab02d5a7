"""Lattice constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import ops

from keras_ff.properties.base import Property

if TYPE_CHECKING:
    import keras
    from ase import Atoms


class CellLengths(Property):
    """Lengths of the three cell vectors of a relaxed crystal in Å, `(3,)`.

    With a target for them, a fit reproduces lattice constants.

    Args:
        model: `ForceField`, in float64.
        atoms: Crystal, periodic in three directions: `ase.Atoms` or a `Structure` of pymatgen.
        free: Which coordinates are relaxed; "cell", the default, for positions and cell. See `Property`.

    Raises:
        ValueError: If the crystal cannot be relaxed.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> lengths = kff.properties.CellLengths(model, bulk("Si", a=5.5))
        >>> (2**0.5 * lengths()).round(4).tolist()
        [5.4309, 5.4309, 5.4309]
    """

    def __init__(self, model: keras.Model, atoms: Atoms, free: str | None = "cell"):
        super().__init__(model, atoms, free)

    def compute(self, batch: dict):
        """Compute the lengths of the cell vectors of a batch of one structure, `(3,)` in Å."""
        cell = ops.convert_to_tensor(batch["cell"])[0]
        return ops.sqrt(ops.sum(cell * cell, axis=1))
