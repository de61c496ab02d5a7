"""Trajectory: the frames of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ase.io
import numpy as np
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.files import replace_when_complete

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from ase import Atoms


class Trajectory:
    """Trajectory of a simulation: frames at equal intervals of time, as arrays and as `ase.Atoms`.

    An item such as `trajectory[3]` is an `ase.Atoms` with momenta and potential energy, a slice is a list of them.

    Args:
        atoms: `ase.Atoms` with the elements, masses and periodicity.
        interval: Time between frames in fs.

    Attributes:
        positions: `(frames, atoms, 3)` in Å, not wrapped into the cell.
        velocities: `(frames, atoms, 3)` in units of ASE.
        cells: `(frames, 3, 3)` in Å.
        energies: Potential energies in eV, `(frames,)`.
        bath_energies: Energies of the thermostat in eV, `(frames,)`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> silicon = bulk("Si")
        >>> frame = silicon.positions, 0.0 * silicon.positions, silicon.cell[:], -8.67, 0.0
        >>> trajectory = kff.simulation.Trajectory.of_frames(silicon, interval=10.0, frames=[frame, frame])
        >>> trajectory.times.tolist(), trajectory.temperatures.tolist()
        ([10.0, 20.0], [0.0, 0.0])
        >>> trajectory[0].get_potential_energy()
        -8.67
    """

    def __init__(self, atoms: Atoms, interval: float):
        self.atoms, self.interval = atoms.copy(), float(interval)
        n = len(atoms)
        self.positions, self.velocities, self.cells = np.zeros((0, n, 3)), np.zeros((0, n, 3)), np.zeros((0, 3, 3))
        self.energies, self.bath_energies = np.zeros(0), np.zeros(0)

    @classmethod
    def of_frames(cls, atoms: Atoms, interval: float, frames: Sequence[tuple]) -> Trajectory:
        """Make a trajectory of a list of frames.

        Args:
            atoms: `ase.Atoms` with the elements, masses and periodicity.
            interval: Time between frames in fs.
            frames: Tuples of positions (atoms, 3) in Å, velocities (atoms, 3) in units of ASE, cell (3, 3) in Å, potential energy
                in eV, and energy of the thermostat in eV.

        Returns:
            `Trajectory`.
        """
        trajectory = cls(atoms, interval)
        if frames:
            stacked = [np.asarray(values, dtype="float64") for values in zip(*frames)]
            trajectory.positions, trajectory.velocities, trajectory.cells, trajectory.energies, trajectory.bath_energies = stacked
        return trajectory

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[frame] for frame in range(*index.indices(len(self)))]
        atoms = self.atoms.copy()
        atoms.set_cell(self.cells[index])
        atoms.positions = self.positions[index]
        atoms.set_momenta(atoms.get_masses()[:, None] * self.velocities[index], apply_constraint=False)
        atoms.calc = SinglePointCalculator(atoms, energy=float(self.energies[index]))
        return atoms

    def __iter__(self):
        return (self[frame] for frame in range(len(self)))

    @property
    def times(self) -> np.ndarray:
        """Times of the frames in fs since the start of the run, `(frames,)`; the first is one interval."""
        return self.interval * (1 + np.arange(len(self)))

    @property
    def kinetic_energies(self) -> np.ndarray:
        """Kinetic energies in eV, `(frames,)`."""
        return 0.5 * np.einsum("a,fai,fai->f", self.atoms.get_masses(), self.velocities, self.velocities)

    @property
    def temperatures(self) -> np.ndarray:
        """Temperatures in K, `(frames,)`, with three degrees of freedom for each atom but those of constraints, as in ASE."""
        # ASE 3.23 has no method for it.
        freedom = 3 * len(self.atoms) - sum(one.get_removed_dof(self.atoms) for one in self.atoms.constraints)
        return self.kinetic_energies / (0.5 * units.kB * max(freedom, 1))

    @property
    def total_energies(self) -> np.ndarray:
        """Sums of potential, kinetic and thermostat energy in eV, `(frames,)`, constant without noise."""
        return self.energies + self.kinetic_energies + self.bath_energies

    @property
    def volumes(self) -> np.ndarray:
        """Volumes of the cell in Å³, `(frames,)`."""
        return np.abs(np.linalg.det(self.cells))

    def write(self, path: str | os.PathLike) -> None:
        """Write all frames to a file, which appears only when it is complete.

        Args:
            path: Path of the file. Its suffix names a format of ASE that holds several frames, such as `.xyz` or `.traj`.

        Raises:
            OSError: If the disk is full or the folder cannot be written.
        """
        with replace_when_complete(path) as part:
            ase.io.write(part, list(self))
