"""The cell of a crystal at rest."""

from keras import ops

from keras_ff.properties.base import Property


class CellLengths(Property):
    """Lengths of the three cell vectors in Å, `(3,)`: lattice constants that follow the weights.

    Args:
        model: `ForceField`.
        atoms: Crystal.
        free: See `Property`.
    """

    def __init__(self, model, atoms, free="cell"):
        super().__init__(model, atoms, free)

    def compute(self, batch):
        cell = ops.convert_to_tensor(batch["cell"])[0]
        return ops.sqrt(ops.sum(cell * cell, axis=1))
