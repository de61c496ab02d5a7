"""Ensembles and their integrators, which advance positions, velocities and cell by one time step.

The state is a dict of `positions`, `velocities` and `forces` (atoms, 3), `energy`, `cell` (3, 3), `virial` (derivatives of the
energy with respect to strain, (3, 3) in eV) and `bath`, the variables of a thermostat. All of it is in the units of ASE, time too;
arguments of constructors are in fs, K and GPa. A step evaluates the forces once, at its end, before the last half of the change of
velocities.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from keras import ops

from keras_ff.arguments import positive, whole
from keras_ff.geometry import determinant

if TYPE_CHECKING:
    from collections.abc import Callable


class NVE:
    """Microcanonical ensemble: Newton's equations at constant energy, volume and momentum, by the velocity Verlet scheme.

    It is also the base class of the other ensembles, which override `bath`, `bath_energy`, `noise_rows` and `step`. Within `step`
    the attributes that are floats, and the time step, may be tensors.

    Attributes:
        temperature: Temperature in K of the velocities that are drawn for atoms without velocities: 0.
        pressure: Pressure in GPa at which the cell moves; None for a constant cell.
        freedom: Number of degrees of freedom that a thermostat heats, which a simulation sets for the constraints of its atoms;
            None counts all but the total momentum.

    Example:
        ::

            kff.simulation.Dynamics(model, atoms, kff.simulation.NVE()).run(1000)

    Reference:
        Swope, Andersen, Berens and Wilson, J. Chem. Phys. 76, 637 (1982).
    """

    temperature = 0.0
    pressure = None
    freedom = None

    def noise_rows(self, atoms: int) -> int:
        """Return the number of rows of three normally distributed numbers that a step needs.

        Args:
            atoms: Number of atoms.
        """
        return 0

    def bath(self, atoms: int) -> np.ndarray:
        """Return the variables of the thermostat at the start, an array of any shape.

        Args:
            atoms: Number of atoms.
        """
        return np.zeros(0)

    def bath_energy(self, bath: np.ndarray, atoms: int) -> float:
        """Return the energy of the thermostat in eV; added to the energy of the atoms it is conserved, if there is no noise.

        Args:
            bath: Variables of the thermostat.
            atoms: Number of atoms.
        """
        return 0.0

    def step(self, state: dict, evaluate: Callable[[Any, Any], dict], masses: Any, dt: Any, noise: Any) -> dict:
        """Advance the state by one time step.

        Args:
            state: Dict of tensors in units of ASE: `positions`, `velocities` and `forces` (atoms, 3), `energy`, `cell` (3, 3),
                `bath`, and with a pressure `virial` (3, 3).
            evaluate: Function of positions and cell that returns a dict of `energy`, `forces` and `virial`.
            masses: (atoms, 1), in amu.
            dt: Time step in units of ASE.
            noise: Normally distributed numbers, (noise_rows, 3), or None if the ensemble needs none.

        Returns:
            The state after the step.
        """
        velocities = state["velocities"] + (0.5 * dt) * state["forces"] / masses
        positions = state["positions"] + dt * velocities
        return self._kicked(state, evaluate, masses, dt, positions, velocities, state["cell"])

    @staticmethod
    def _kicked(state, evaluate, masses, dt, positions, velocities, cell):
        """State after the last half of the change of velocities, with the forces at the new positions."""
        results = evaluate(positions, cell)
        velocities = velocities + (0.5 * dt) * results["forces"] / masses
        return {**state, **results, "positions": positions, "velocities": velocities, "cell": cell}


class Langevin(NVE):
    """Canonical ensemble by Langevin dynamics: friction and random forces at constant temperature, by the BAOAB scheme.

    Args:
        temperature: Temperature in K.
        relaxation: Decay time of the velocities in fs, 1 / friction.

    Raises:
        ValueError: If a number is not positive.

    Example:
        >>> import keras_ff as kff
        >>> kff.simulation.Langevin(300, relaxation=200).temperature
        300.0

    Reference:
        Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34.
    """

    def __init__(self, temperature: float, relaxation: float = 100.0):
        self.temperature = positive("temperature", temperature, "K")
        self.relaxation = positive("relaxation", relaxation, "fs")

    def noise_rows(self, atoms: int) -> int:
        """Return the number of rows of three normally distributed numbers that a step needs, one for each atom."""
        return atoms

    def step(self, state: dict, evaluate: Callable[[Any, Any], dict], masses: Any, dt: Any, noise: Any) -> dict:
        """Advance the state by one time step, see `NVE.step`."""
        positions, velocities = self._drifted(state, masses, dt, noise)
        return self._kicked(state, evaluate, masses, dt, positions, velocities, state["cell"])

    def _drifted(self, state, masses, dt, noise):
        """Positions and velocities before the last half of the change by the forces."""
        velocities = state["velocities"] + (0.5 * dt) * state["forces"] / masses
        positions = state["positions"] + (0.5 * dt) * velocities
        kept = ops.exp(-dt / (self.relaxation * units.fs))
        thermal = ops.sqrt((1.0 - kept * kept) * (units.kB * self.temperature) / masses)
        velocities = kept * velocities + thermal * noise
        return positions + (0.5 * dt) * velocities, velocities


class NoseHoover(NVE):
    """Canonical ensemble by a Nosé-Hoover chain of thermostats without noise, with smooth trajectories and zero total momentum.

    Args:
        temperature: Temperature in K.
        relaxation: Period in fs with which kinetic energy oscillates between atoms and thermostats; 50 to 100 time steps.
        chain: Number of thermostats.

    Raises:
        ValueError: If a number is not positive.

    Example:
        >>> import keras_ff as kff
        >>> kff.simulation.NoseHoover(300).bath(atoms=64).shape
        (2, 3)

    Reference:
        Martyna, Tuckerman, Tobias and Klein, Mol. Phys. 87, 1117 (1996), section 2.
    """

    def __init__(self, temperature: float, relaxation: float = 100.0, chain: int = 3):
        self.temperature = positive("temperature", temperature, "K")
        self.relaxation = positive("relaxation", relaxation, "fs")
        self.chain = whole("chain", chain, 1)

    def bath(self, atoms: int) -> np.ndarray:
        """Return the positions and velocities of the thermostats at the start, zeros (2, chain)."""
        return np.zeros((2, self.chain))

    def bath_energy(self, bath: np.ndarray, atoms: int) -> float:
        """Return the energy of the thermostats in eV; added to the energy of the atoms it is conserved.

        Args:
            bath: Positions and velocities of the thermostats, (2, chain).
            atoms: Number of atoms.
        """
        positions, velocities = bath
        weights = np.ones(self.chain)
        weights[0] = self._freedom(atoms)
        thermal = units.kB * self.temperature
        return float(0.5 * (np.array(self._inertia(atoms)) * velocities**2).sum() + thermal * (weights * positions).sum())

    def step(self, state: dict, evaluate: Callable[[Any, Any], dict], masses: Any, dt: Any, noise: Any) -> dict:
        """Advance the state by one time step, see `NVE.step`."""
        state = self._rescaled(state, masses, dt)
        return self._rescaled(super().step(state, evaluate, masses, dt, noise), masses, dt)

    def _freedom(self, atoms):
        # The total momentum is constant, and not counted.
        return max(3 * atoms - 3, 1) if self.freedom is None else self.freedom

    def _inertia(self, atoms):
        of_one = (units.kB * self.temperature) * (self.relaxation * units.fs) ** 2
        return [self._freedom(atoms) * of_one] + [of_one] * (self.chain - 1)

    def _rescaled(self, state, masses, dt):
        """State after half a time step of the chain."""
        atoms, last = state["velocities"].shape[0], self.chain - 1
        positions, velocities = state["bath"][0], state["bath"][1]
        v = [velocities[index] for index in range(self.chain)]
        inertia, thermal = self._inertia(atoms), units.kB * self.temperature
        twice_kinetic = ops.sum(masses * state["velocities"] ** 2)

        def pushed(index, twice_kinetic):
            below = (
                twice_kinetic - self._freedom(atoms) * thermal if index == 0 else inertia[index - 1] * v[index - 1] ** 2 - thermal
            )
            drag = ops.exp((-0.125 * dt) * v[index + 1]) if index < last else 1.0
            return drag * (drag * v[index] + (0.25 * dt / inertia[index]) * below)

        for index in reversed(range(self.chain)):
            v[index] = pushed(index, twice_kinetic)
        scale = ops.exp((-0.5 * dt) * v[0])
        positions = positions + (0.5 * dt) * ops.stack(v)
        for index in range(self.chain):
            v[index] = pushed(index, scale * scale * twice_kinetic)
        return {**state, "velocities": scale * state["velocities"], "bath": ops.stack([positions, ops.stack(v)])}


class NPT(Langevin):
    """Isothermal-isobaric ensemble: Langevin dynamics with stochastic rescaling of the volume; the shape of the cell is kept.

    Args:
        temperature: Temperature in K.
        pressure: Pressure in GPa.
        relaxation: Decay time of the velocities in fs, 1 / friction.
        pressure_relaxation: Time in fs in which the pressure relaxes.
        bulk_modulus: Approximate bulk modulus of the material in GPa. Together with `pressure_relaxation` it sets how fast the
            volume changes; averages do not depend on it.

    Raises:
        ValueError: If the pressure is not finite, or another number is not positive.

    Example:
        >>> import keras_ff as kff
        >>> ensemble = kff.simulation.NPT(300, pressure=1.0)
        >>> ensemble.temperature, ensemble.pressure
        (300.0, 1.0)

    Reference:
        Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020); the logarithm of the volume is integrated, in the sense of Ito.
    """

    def __init__(
        self,
        temperature: float,
        pressure: float = 0.0,
        relaxation: float = 100.0,
        pressure_relaxation: float = 1000.0,
        bulk_modulus: float = 50.0,
    ):
        super().__init__(temperature, relaxation)
        if not np.isfinite(pressure):
            raise ValueError(f"pressure is a finite number, in GPa. Received {pressure}.")
        self.pressure = float(pressure)
        self.pressure_relaxation = positive("pressure_relaxation", pressure_relaxation, "fs")
        self.bulk_modulus = positive("bulk_modulus", bulk_modulus, "GPa")

    def noise_rows(self, atoms: int) -> int:
        """Return the number of rows of three normally distributed numbers that a step needs: atoms, and one for the volume."""
        return atoms + 1

    def step(self, state: dict, evaluate: Callable[[Any, Any], dict], masses: Any, dt: Any, noise: Any) -> dict:
        """Advance the state by one time step, see `NVE.step`."""
        thermal = units.kB * self.temperature
        volume = ops.abs(determinant(state["cell"]))
        twice_kinetic = ops.sum(masses * state["velocities"] ** 2)
        pressure = (twice_kinetic - ops.trace(state["virial"])) / (3.0 * volume)
        pace = dt / (self.bulk_modulus * units.GPa * self.pressure_relaxation * units.fs)
        growth = pace * (pressure - self.pressure * units.GPa)
        growth = growth + ops.sqrt(2.0 * thermal * pace / volume) * noise[-1, 0]
        scale = ops.exp(growth / 3.0)
        positions, velocities = self._drifted(state, masses, dt, noise[:-1])
        return self._kicked(state, evaluate, masses, dt, scale * positions, velocities / scale, scale * state["cell"])


def numbers_of(ensemble: NVE) -> dict[str, float]:
    """Attributes of an ensemble that are floats, such as its temperature.

    Args:
        ensemble: The ensemble.

    Returns:
        Dict from names to numbers.
    """
    return {name: value for name, value in vars(ensemble).items() if isinstance(value, float)}


def with_numbers(ensemble: NVE, numbers: dict) -> NVE:
    """Copy of an ensemble with other numbers, such as tensors, which are not constants of a compiled function.

    Args:
        ensemble: The ensemble.
        numbers: Dict from names to numbers or tensors, with the keys of `numbers_of`.

    Returns:
        The copy.
    """
    other = copy.copy(ensemble)
    vars(other).update(numbers)
    return other
