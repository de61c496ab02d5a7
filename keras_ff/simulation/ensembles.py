"""Integrators: how positions, velocities and cell go on by one time step.

The state is a dict of `positions`, `velocities`, `forces` `(atoms, 3)`, `energy`, `cell` `(3, 3)`, `virial` (derivatives of the
energy by strain, `(3, 3)` in eV) and `bath`, what a thermostat remembers. Everything is in the units of ASE, time too; what a user
gives is in fs, K and GPa. A step takes one evaluation of the forces, which is its last act but for a kick.
"""

import copy

import numpy as np
from ase import units
from keras import ops

from keras_ff.geometry import determinant


class NVE:
    """Newton's equations: energy, volume and momentum are constants. Velocity Verlet scheme.

    Attributes that are floats, and the time step, may be tensors within `step`.

    Reference:
        Swope, Andersen, Berens and Wilson, J. Chem. Phys. 76, 637 (1982).
    """

    # In K: of the velocities at the start where the atoms have none.
    temperature = 0.0

    def noise_rows(self, atoms):
        """How many rows of three normal numbers a step takes."""
        return 0

    def bath(self, atoms):
        """State of the bath at the start, NumPy; of any shape."""
        return np.zeros(0)

    def bath_energy(self, bath, atoms):
        """Energy in eV that the bath holds: with the energy of the atoms it is conserved, except where there is noise."""
        return 0.0

    def step(self, state, evaluate, masses, dt, noise):
        """The state one time step later.

        Args:
            state: See above.
            evaluate: From positions and cell to a dict of `energy`, `forces` and `virial`.
            masses: `(atoms, 1)` in amu.
            dt: Time step.
            noise: Normal numbers `(noise_rows, 3)`.
        """
        velocities = state["velocities"] + (0.5 * dt) * state["forces"] / masses
        positions = state["positions"] + dt * velocities
        return self._kicked(state, evaluate, masses, dt, positions, velocities, state["cell"])

    @staticmethod
    def _kicked(state, evaluate, masses, dt, positions, velocities, cell):
        """The last half of a step's forces, at the new positions."""
        found = evaluate(positions, cell)
        velocities = velocities + (0.5 * dt) * found["forces"] / masses
        return {**state, **found, "positions": positions, "velocities": velocities, "cell": cell}


class Langevin(NVE):
    """Friction and random forces that keep a temperature: the canonical distribution. BAOAB scheme.

    Args:
        temperature: In K.
        relaxation: Time in fs in which velocities are forgotten, 1 / friction.

    Reference:
        Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34.
    """

    def __init__(self, temperature, relaxation=100.0):
        self.temperature = positive("temperature", temperature, "K")
        self.relaxation = positive("relaxation", relaxation, "fs")

    def noise_rows(self, atoms):
        return atoms

    def step(self, state, evaluate, masses, dt, noise):
        positions, velocities = self._drifted(state, masses, dt, noise)
        return self._kicked(state, evaluate, masses, dt, positions, velocities, state["cell"])

    def _drifted(self, state, masses, dt, noise):
        """Positions and velocities before the last half of the forces."""
        velocities = state["velocities"] + (0.5 * dt) * state["forces"] / masses
        positions = state["positions"] + (0.5 * dt) * velocities
        kept = ops.exp(-dt / (self.relaxation * units.fs))
        thermal = ops.sqrt((1.0 - kept * kept) * (units.kB * self.temperature) / masses)
        velocities = kept * velocities + thermal * noise
        return positions + (0.5 * dt) * velocities, velocities


class NoseHoover(NVE):
    """A chain of thermostats without noise: the canonical distribution at zero total momentum, and smooth trajectories.

    Args:
        temperature: In K.
        relaxation: Time in fs in which kinetic energy flows to and fro; 50 to 100 time steps.
        chain: Number of thermostats.

    Reference:
        Martyna, Tuckerman, Tobias and Klein, Mol. Phys. 87, 1117 (1996), section 2.
    """

    def __init__(self, temperature, relaxation=100.0, chain=3):
        self.temperature = positive("temperature", temperature, "K")
        self.relaxation = positive("relaxation", relaxation, "fs")
        self.chain = int(positive("chain", chain, "thermostats"))

    def bath(self, atoms):
        return np.zeros((2, self.chain))

    def bath_energy(self, bath, atoms):
        positions, velocities = bath
        weights = np.ones(self.chain)
        weights[0] = self._freedom(atoms)
        thermal = units.kB * self.temperature
        return float(0.5 * (np.array(self._inertia(atoms)) * velocities**2).sum() + thermal * (weights * positions).sum())

    def step(self, state, evaluate, masses, dt, noise):
        state = self._rescaled(state, masses, dt)
        return self._rescaled(super().step(state, evaluate, masses, dt, noise), masses, dt)

    def _freedom(self, atoms):
        # The total momentum is none of the degrees of freedom, as it is constant.
        return max(3 * atoms - 3, 1)

    def _inertia(self, atoms):
        of_one = (units.kB * self.temperature) * (self.relaxation * units.fs) ** 2
        return [self._freedom(atoms) * of_one] + [of_one] * (self.chain - 1)

    def _rescaled(self, state, masses, dt):
        """The state after half a time step of the chain."""
        atoms, last = state["velocities"].shape[0], self.chain - 1
        positions, velocities = state["bath"][0], state["bath"][1]
        v = [velocities[place] for place in range(self.chain)]
        inertia, thermal = self._inertia(atoms), units.kB * self.temperature
        twice_kinetic = ops.sum(masses * state["velocities"] ** 2)

        def pushed(place, twice_kinetic):
            below = (
                twice_kinetic - self._freedom(atoms) * thermal if place == 0 else inertia[place - 1] * v[place - 1] ** 2 - thermal
            )
            drag = ops.exp((-0.125 * dt) * v[place + 1]) if place < last else 1.0
            return drag * (drag * v[place] + (0.25 * dt / inertia[place]) * below)

        for place in reversed(range(self.chain)):
            v[place] = pushed(place, twice_kinetic)
        scale = ops.exp((-0.5 * dt) * v[0])
        positions = positions + (0.5 * dt) * ops.stack(v)
        for place in range(self.chain):
            v[place] = pushed(place, scale * scale * twice_kinetic)
        return {**state, "velocities": scale * state["velocities"], "bath": ops.stack([positions, ops.stack(v)])}


class NPT(Langevin):
    """Constant temperature and pressure: Langevin dynamics, and a volume that is rescaled at random; the shape of the cell is kept.

    Args:
        temperature: In K.
        pressure: In GPa.
        relaxation: Time in fs in which velocities are forgotten.
        pressure_relaxation: Time in fs in which the pressure relaxes.
        bulk_modulus: Rough stiffness of the material in GPa, which with the time above sets the pace of the volume, nothing else.

    Reference:
        Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020); the logarithm of the volume is integrated, in the sense of Ito.
    """

    def __init__(self, temperature, pressure=0.0, relaxation=100.0, pressure_relaxation=1000.0, bulk_modulus=50.0):
        super().__init__(temperature, relaxation)
        self.pressure = float(pressure)
        self.pressure_relaxation = positive("pressure_relaxation", pressure_relaxation, "fs")
        self.bulk_modulus = positive("bulk_modulus", bulk_modulus, "GPa")

    def noise_rows(self, atoms):
        return atoms + 1

    def step(self, state, evaluate, masses, dt, noise):
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


def numbers_of(ensemble):
    """Attributes of an ensemble that are floats."""
    return {name: value for name, value in vars(ensemble).items() if isinstance(value, float)}


def with_numbers(ensemble, numbers):
    """The same ensemble with tensors in the place of `numbers_of`, so that they are no constants of what is compiled."""
    other = copy.copy(ensemble)
    vars(other).update(numbers)
    return other


def positive(name, value, unit):
    """A number, or a ValueError."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is a positive number, in {unit}. Received {value}.")
    return float(value)
