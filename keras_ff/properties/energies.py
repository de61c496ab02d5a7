"""Energies: cohesion, defects, equations of state."""

import numpy as np
from ase import Atoms
from keras import ops

from keras_ff.data.batches import structure_batch
from keras_ff.properties.base import Property
from keras_ff.properties.structure import deformed


class EnergyPerAtom(Property):
    """Energy per atom in eV, a scalar. See `Property` for the arguments."""

    def compute(self, batch):
        return self.model.total_energy(batch)[0] / len(self.atoms)


class CohesiveEnergy(EnergyPerAtom):
    """Energy per atom that it takes to separate all atoms, in eV: positive for what holds together."""

    def compute(self, batch):
        symbols, counts = np.unique(self.atoms.get_chemical_symbols(), return_counts=True)
        alone = [self.model.total_energy(structure_batch(self.model, Atoms([symbol])))[0] for symbol in symbols]
        return sum(int(count) * energy for count, energy in zip(counts, alone)) / len(self.atoms) - super().compute(batch)


class DefectEnergy(Property):
    """Formation energy of a defect in an elementary crystal, in eV: E(defect) - N(defect) / N(crystal) E(crystal).

    Args:
        model: `ForceField`.
        atoms: The cell with the defect.
        crystal: The perfect crystal, whose energy per atom counts as it is given.
        free: What of the defective cell relaxes, see `Property`.
    """

    def __init__(self, model, atoms, crystal, free=None):
        self.crystal = EnergyPerAtom(model, crystal)
        super().__init__(model, atoms, free)

    def compute(self, batch):
        return self.model.total_energy(batch)[0] - len(self.atoms) * self.crystal.compute(self.crystal.batch)


class EquationOfState(Property):
    """Energies per atom in eV of a structure at several volumes, `(volumes,)`, atoms at the same places of the cell.

    Args:
        model: `ForceField`.
        atoms: Crystal.
        strains: Linear strains of the cell.
        free: See `Property`.
    """

    def __init__(self, model, atoms, strains=(-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04), free=None):
        self.strains = np.asarray(strains, dtype="float64")
        self.reach = max(1.0, 1.0 / (1.0 + self.strains.min()))
        super().__init__(model, atoms, free)

    def volumes(self):
        """Volumes per atom in Å³, `(volumes,)`."""
        return self.atoms.get_volume() / len(self.atoms) * (1.0 + self.strains) ** 3

    def compute(self, batch):
        n = len(self.atoms)
        changes = np.zeros((len(self.strains), 3 * n + 6))
        changes[:, 3 * n : 3 * n + 3] = self.strains[:, None]
        changes = ops.convert_to_tensor(changes, dtype=self.model.compute_dtype)
        return self.model.total_energy(deformed(batch, changes)) / n
