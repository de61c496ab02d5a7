"""Energies: per atom, of cohesion, of defects, and over the volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from keras import ops

from keras_ff.data.batches import structure_batch
from keras_ff.properties.base import Property
from keras_ff.properties.structure import deformed

if TYPE_CHECKING:
    import keras
    from pymatgen.core import Structure


class EnergyPerAtom(Property):
    """Potential energy of a structure divided by its number of atoms, in eV, a scalar.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms`, or a `Structure` of pymatgen.
        free: Which coordinates are relaxed: None, "atoms" or "cell". See `Property`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> round(float(kff.properties.EnergyPerAtom(model, bulk("Si", a=5.431))()), 3)
        -4.337
    """

    def compute(self, batch: dict):
        """Compute the energy per atom of a batch of one structure, a scalar in eV."""
        return self.model.total_energy(batch)[0] / len(self.atoms)


class CohesiveEnergy(EnergyPerAtom):
    """Cohesive energy in eV per atom, a scalar: what it takes to separate all atoms, positive for what holds together.

    The energies of separate atoms are those of the model.

    Args:
        model: `ForceField`.
        atoms: Crystal or molecule: `ase.Atoms`, or a `Structure` of pymatgen.
        free: Which coordinates are relaxed: None, "atoms" or "cell". See `Property`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> round(float(kff.properties.CohesiveEnergy(model, bulk("Si", a=5.431))()), 3)
        4.337
    """

    def compute(self, batch: dict):
        """Compute the cohesive energy per atom of a batch of one structure, a scalar in eV."""
        symbols, counts = np.unique(self.atoms.get_chemical_symbols(), return_counts=True)
        alone = [self.model.total_energy(structure_batch(self.model, Atoms([symbol])))[0] for symbol in symbols]
        return sum(int(count) * energy for count, energy in zip(counts, alone)) / len(self.atoms) - super().compute(batch)


class DefectEnergy(Property):
    """Formation energy of a defect in a crystal of one element, in eV, a scalar.

        E(defect) - N(defect) / N(crystal) E(crystal)

    Args:
        model: `ForceField`.
        atoms: Supercell with the defect: `ase.Atoms`, or a `Structure` of pymatgen.
        crystal: Perfect crystal, of any number of cells. It is not relaxed: its energy per atom counts as it is given.
        free: Which coordinates of the cell with the defect are relaxed: None, "atoms" or "cell". See `Property`.

    Example:
        The atoms next to this unrelaxed vacancy keep their places. It costs four bonds, which is the cohesive energy:

        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> crystal = bulk("Si", a=5.431, cubic=True) * 2
        >>> round(float(kff.properties.DefectEnergy(model, crystal[1:], crystal)()), 2)
        4.34
    """

    def __init__(self, model: keras.Model, atoms: Atoms | Structure, crystal: Atoms | Structure, free: str | None = None):
        self.crystal = EnergyPerAtom(model, crystal)
        super().__init__(model, atoms, free)

    def compute(self, batch: dict):
        """Compute the formation energy of a batch of one structure, a scalar in eV."""
        return self.model.total_energy(batch)[0] - len(self.atoms) * self.crystal.compute(self.crystal.batch)


class EquationOfState(Property):
    """Energy per atom of a crystal at several volumes in eV, `(volumes,)`; atoms keep their fractional coordinates.

    `keras_ff.plots.equation_of_state` draws it with the fitted curve and the bulk modulus.

    Args:
        model: `ForceField`.
        atoms: Crystal, periodic in three directions: `ase.Atoms` or a `Structure` of pymatgen.
        strains: Relative changes of all lengths, `(volumes,)`; 0.01 is a cell whose edges are longer by 1 %.
        free: Which coordinates of the crystal are relaxed before it is strained: None, "atoms" or "cell". See `Property`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> state = kff.properties.EquationOfState(model, bulk("Si", a=5.431), strains=[-0.01, 0.0, 0.01])
        >>> state.volumes().round(2).tolist()
        [19.43, 20.02, 20.63]
        >>> [round(float(energy), 2) for energy in state()]
        [-4.33, -4.34, -4.33]
    """

    def __init__(
        self,
        model: keras.Model,
        atoms: Atoms | Structure,
        strains: Sequence[float] = (-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04),
        free: str | None = None,
    ):
        self.strains = np.asarray(strains, dtype="float64")
        self.reach = max(1.0, 1.0 / (1.0 + self.strains.min()))
        super().__init__(model, atoms, free)

    def volumes(self) -> np.ndarray:
        """Return the volumes per atom in Å³ that the energies belong to, `(volumes,)`."""
        return self.atoms.get_volume() / len(self.atoms) * (1.0 + self.strains) ** 3

    def compute(self, batch: dict):
        """Compute the energies per atom of a batch of one structure at all volumes, `(volumes,)` in eV."""
        n = len(self.atoms)
        changes = np.zeros((len(self.strains), 3 * n + 6))
        changes[:, 3 * n : 3 * n + 3] = self.strains[:, None]
        changes = ops.convert_to_tensor(changes, dtype=self.model.compute_dtype)
        return self.model.total_energy(deformed(batch, changes)) / n
