"""What a simulation leaves behind."""

import ase.io
import numpy as np
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.files import replace_when_complete


class Trajectory:
    """Frames of a simulation at equal distances in time, as arrays and as `ase.Atoms`.

    `trajectory[3]` and iteration give `ase.Atoms` with momenta and potential energy.

    Args:
        atoms: `ase.Atoms` with the elements, masses and periodicity.
        interval: Time between frames in fs.

    Attributes:
        positions: `(frames, atoms, 3)` in Å, not wrapped into the cell.
        velocities: `(frames, atoms, 3)` in units of ASE.
        cells: `(frames, 3, 3)` in Å.
        energies: Potential energies in eV, `(frames,)`.
        bath_energies: Energies in eV that a thermostat holds, `(frames,)`.
    """

    def __init__(self, atoms, interval):
        self.atoms, self.interval = atoms.copy(), float(interval)
        n = len(atoms)
        self.positions, self.velocities, self.cells = np.zeros((0, n, 3)), np.zeros((0, n, 3)), np.zeros((0, 3, 3))
        self.energies, self.bath_energies = np.zeros(0), np.zeros(0)

    @classmethod
    def of_frames(cls, atoms, interval, frames):
        """From a list of tuples of positions, velocities, cell, potential energy and energy of the bath."""
        trajectory = cls(atoms, interval)
        if frames:
            stacked = [np.asarray(values, dtype="float64") for values in zip(*frames)]
            trajectory.positions, trajectory.velocities, trajectory.cells, trajectory.energies, trajectory.bath_energies = stacked
        return trajectory

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        atoms = self.atoms.copy()
        atoms.set_cell(self.cells[index])
        atoms.positions = self.positions[index]
        atoms.set_velocities(self.velocities[index])
        atoms.calc = SinglePointCalculator(atoms, energy=float(self.energies[index]))
        return atoms

    def __iter__(self):
        return (self[place] for place in range(len(self)))

    @property
    def times(self):
        """In fs since the start of the run; the first frame is one interval after it."""
        return self.interval * (1 + np.arange(len(self)))

    @property
    def kinetic_energies(self):
        """In eV, `(frames,)`."""
        return 0.5 * np.einsum("a,fai,fai->f", self.atoms.get_masses(), self.velocities, self.velocities)

    @property
    def temperatures(self):
        """In K, `(frames,)`, with three degrees of freedom of each atom, as ASE counts."""
        return self.kinetic_energies / (1.5 * units.kB * len(self.atoms))

    @property
    def total_energies(self):
        """Potential, kinetic and bath energy in eV, `(frames,)`: constant without noise."""
        return self.energies + self.kinetic_energies + self.bath_energies

    @property
    def volumes(self):
        """In Å³, `(frames,)`."""
        return np.abs(np.linalg.det(self.cells))

    def write(self, path):
        """Write all frames in any format of ASE that holds several, whole or not at all."""
        with replace_when_complete(path) as part:
            ase.io.write(part, list(self))
