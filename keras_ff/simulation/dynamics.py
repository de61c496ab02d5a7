"""Molecular dynamics in compiled chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.simulation.ensembles import numbers_of, with_numbers
from keras_ff.simulation.trajectory import Trajectory

if TYPE_CHECKING:
    import keras
    from ase import Atoms

    from keras_ff.simulation.ensembles import NVE

# Most steps of one compiled loop, and most numbers of an array with an entry for every step of the loop.
CHUNK = 100
NUMBERS = 150_000

# Entries of the state that are recorded at every step.
NOTED = ("positions", "velocities", "cell", "energy", "bath")


class Dynamics:
    """Molecular dynamics simulation of one structure with a force field.

    Loops of up to 100 steps are compiled. Neighbors are listed within cutoff + skin, and listed again before an atom has moved by
    half of the skin: no step is taken with a list that may lack a neighbor.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms` with velocities; if all are zero they are drawn for the temperature of the ensemble.
        ensemble: `NVE`, `Langevin`, `NoseHoover` or `NPT`.
        timestep: Time step in fs.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed. A thicker one makes steps slower and
            neighbor searches rarer.
        seed: Seed of velocities and noise. The same seed gives the same trajectory, up to rounding, on both backends.

    Attributes:
        atoms: The structure as it is now, with velocities.
        steps: Number of steps taken.

    Raises:
        ValueError: If the ensemble has a pressure, and the structure is not periodic in three directions.

    Example:
        ::

            dynamics = kff.simulation.Dynamics(model, silicon, kff.simulation.Langevin(2000))
            dynamics.run(1000)                           # equilibration
            trajectory = dynamics.run(5000, every=50)
            trajectory.temperatures.mean(), trajectory[-1]
    """

    def __init__(self, model: keras.Model, atoms: Atoms, ensemble: NVE, timestep: float = 1.0, skin: float = 0.5, seed: int = 0):
        if hasattr(ensemble, "pressure") and not atoms.pbc.all():
            raise ValueError(f"{atoms.get_chemical_formula()} has no volume: pbc={atoms.pbc.tolist()}. A pressure needs pbc=True.")
        self.model, self._ensemble, self.timestep, self.skin = model, ensemble, float(timestep), float(skin)
        self.atoms, self.steps = atoms.copy(), 0
        self._random = np.random.default_rng(seed)
        if not self.atoms.get_momenta().any() and ensemble.temperature > 0:
            self.atoms.set_velocities(thermal_velocities(atoms.get_masses(), ensemble.temperature, self._random))
        self._rows = ensemble.noise_rows(len(atoms))
        self._chunk = int(np.clip(NUMBERS // (3 * len(atoms)), 1, CHUNK))
        self._batcher, self._record, self._list = Batcher.of(model, skin=self.skin), None, None
        self._loop = backend.jit(self._steps, layer=model)
        self._bath = ensemble.bath(len(atoms))

    @property
    def ensemble(self) -> NVE:
        """Ensemble of the simulation; may be set to one of the same class, with another temperature for example."""
        return self._ensemble

    @ensemble.setter
    def ensemble(self, ensemble: NVE) -> None:
        same = type(ensemble) is type(self._ensemble)
        if not same or vars(with_numbers(self._ensemble, numbers_of(ensemble))) != vars(ensemble):
            raise ValueError(
                f"The ensemble is a {type(self._ensemble).__name__}. Make another Dynamics(model, dynamics.atoms, ...)."
            )
        self._ensemble = ensemble

    def run(self, steps: int, every: int = 10, verbose: int = 1) -> Trajectory:
        """Advance the simulation by `steps` time steps.

        Args:
            steps: Number of steps.
            every: Number of steps between the frames that are kept; 0 keeps none.
            verbose: Whether a progress bar is shown; 0 shows none.

        Returns:
            `Trajectory` of the frames, the last of which is after `steps // every * every` steps.

        Raises:
            ValueError: If the atoms have elements that the model does not know, or atoms move too far within one step; `atoms` is
                then as it was before that step.
        """
        frames, done = [], 0
        self._state = self._begin()
        with tqdm(total=steps, desc="dynamics", disable=not verbose, leave=False, delay=2) as bar:
            while done < steps:
                count = min(self._chunk, steps - done)
                for step, noted in self._advance(count):
                    if every and (done + step + 1) % every == 0:
                        frames.append(self._frame(noted, step))
                done += count
                bar.update(count)
        return Trajectory.of_frames(self.atoms, self.timestep * every, frames)

    def _begin(self):
        """State at the start, with the forces for the present weights."""
        dtype, atoms = self.model.compute_dtype, self.atoms
        self._list = self._listed()
        state = {
            "positions": self._list["positions"][0],
            "velocities": atoms.get_velocities().astype(dtype),
            "forces": np.zeros((len(atoms), 3), dtype),
            "energy": np.zeros((), dtype),
            "cell": (atoms.cell.array * atoms.pbc[:, None]).astype(dtype),
            "bath": self._bath.astype(dtype),
        }
        if hasattr(self.ensemble, "pressure"):
            # An entry that the state does not have is not computed.
            state["virial"] = np.zeros((3, 3), dtype)
        noise = np.zeros((self._chunk, self._rows, 3), dtype)
        # A step with a time step of 0 moves nothing, and computes the forces.
        _, state, _, moved = self._loop(state, self._list, *self._numbers(0.0), noise, np.int32(0), np.int32(1))
        if not np.isfinite(ops.convert_to_numpy(state["energy"])):
            raise ValueError(f"The energy of {atoms.get_chemical_formula()} is {float(state['energy'])}. Look at its distances.")
        return state

    def _numbers(self, timestep):
        """Numbers of the ensemble, masses, and the time step in units of ASE."""
        dtype = self.model.compute_dtype
        numbers = {name: np.asarray(value, dtype) for name, value in numbers_of(self.ensemble).items()}
        return numbers, self.atoms.get_masses()[:, None].astype(dtype), np.asarray(timestep * units.fs, dtype)

    def _listed(self):
        self._record = self._batcher.record(self.atoms)
        return self._batcher.exact([self._record])

    def _advance(self, count):
        """Take the steps of one chunk. Yields for each step its index in the chunk, and the records of all steps."""
        noise = np.zeros((self._chunk, self._rows, 3), self.model.compute_dtype)
        noise[:count] = self._random.normal(size=(count, self._rows, 3))
        first, numbers = 0, self._numbers(self.timestep)
        while first < count:
            fresh = self._list is None
            if fresh:
                self._list = self._listed()
                # Atoms that have moved far are placed near the origin again.
                self._state = {**self._state, "positions": self._list["positions"][0]}
            last, self._state, noted, moved = self._loop(self._state, self._list, *numbers, noise, np.int32(first), np.int32(count))
            last = int(last)
            if last == first and fresh:
                raise ValueError(self._lost(ops.convert_to_numpy(moved)))
            if last < count:
                self._list = None
            noted = {name: ops.convert_to_numpy(values).astype("float64") for name, values in noted.items()}
            noted["cell"] = self._cell(noted["cell"])
            noted["positions"] += self._record["placement"].crossings @ noted["cell"] + self._record["placement"].origin
            yield from ((index, noted) for index in range(first, last))
            self.steps += last - first
            first = last
            state = {name: ops.convert_to_numpy(self._state[name]).astype("float64") for name in NOTED}
            self.atoms.set_cell(self._cell(state["cell"]))
            self.atoms.positions = self._record["placement"].restored(state["positions"], self.atoms.cell.array)
            self.atoms.set_velocities(state["velocities"])
            self._bath = state["bath"]

    def _steps(self, state, listed, numbers, masses, dt, noise, first, count):
        """Take steps up to `count`, or as many as the list allows.

        Returns the number of the next step, the state, the records of all steps, and how far atoms have moved.
        """
        zero = ops.zeros((), "int32")
        ensemble = with_numbers(self.ensemble, numbers)

        def forces(positions, cell):
            return evaluate(self.model, {**listed, "positions": positions[None], "cell": cell[None]})

        def continues(index, well, *_):
            return ops.logical_and(index < count, well)

        def step(index, _, state, noted, _moved):
            after = ensemble.step(state, forces, masses, dt, noise[index] if self._rows else None)
            moved, room = displacement(after, listed, self.model.cutoff, self.skin)
            # False if anything is not a number.
            well = ops.max(moved) <= room
            state = {name: ops.where(well, after[name], before) for name, before in state.items()}
            noted = {
                name: ops.slice_update(values, (index, *[zero] * (values.ndim - 1)), state[name][None])
                for name, values in noted.items()
            }
            # A step that is rejected costs as much as one that is accepted: stop before it.
            speeds = ops.sqrt(ops.sum(state["velocities"] ** 2, axis=-1))
            likely = ops.max(moved + (1.2 * dt) * speeds) <= room
            return index + ops.cast(well, "int32"), ops.logical_and(well, likely), state, noted, moved

        state = {name: ops.convert_to_tensor(value) for name, value in state.items()}
        noted = {name: ops.zeros((self._chunk, *state[name].shape), self.model.compute_dtype) for name in NOTED}
        start = (first, ops.ones((), "bool"), state, noted, ops.zeros_like(masses[:, 0]))
        index, _, state, noted, moved = ops.while_loop(continues, step, start)
        return index, state, noted, moved

    def _cell(self, cell):
        """Cells as the user gave them, unrounded and with all vectors, unless the pressure changes them."""
        return cell if hasattr(self.ensemble, "pressure") else np.broadcast_to(self.atoms.cell.array, cell.shape)

    def _frame(self, noted, place):
        positions, velocities, cell, energy, bath = (noted[name][place] for name in NOTED)
        return positions, velocities, cell, energy, self.ensemble.bath_energy(bath, len(self.atoms))

    def _lost(self, moved):
        far = np.flatnonzero(~(moved <= 0.5 * self.skin))
        return (
            f"The trajectory is lost in step {self.steps + 1}, after {self.steps * self.timestep:g} fs: within one step of "
            f"{self.timestep:g} fs atoms {far[:10].tolist()}{' and others' if len(far) > 10 else ''} move by up to "
            f"{np.max(moved):.3g} Å, more than half of the skin. Start from a relaxed structure, shorten the time step, or give a "
            "thicker skin. The structure before that step is in `atoms`: look at its shortest distances and at the forces there."
        )


def evaluate(model: keras.Model, batch: dict, training: bool = False) -> dict:
    """Energy, forces and virial of one structure.

    Args:
        model: `ForceField`.
        batch: Batch of one structure.
        training: Whether all atoms are computed at once, so that derivatives with respect to the weights can follow; by default
            large structures are computed in chunks.

    Returns:
        Dict of tensors: `energy`, a scalar in eV, `forces` (atoms, 3) in eV/Å, and `virial` (3, 3) in eV, the derivatives of the
        energy with respect to strain.
    """
    results = (model.atomic_at_once if training else model.atomic)(batch)
    return {"energy": ops.sum(results["energies"]), "forces": results["forces"][0], "virial": results["virial"][0]}


def thermal_velocities(masses: np.ndarray, temperature: float, random: np.random.Generator) -> np.ndarray:
    """Random velocities of the Maxwell-Boltzmann distribution without total momentum, (atoms, 3) in units of ASE.

    Args:
        masses: (atoms,), in amu.
        temperature: Temperature in K.
        random: Generator of random numbers.

    Returns:
        Array of velocities; a single atom keeps its momentum.

    Example:
        >>> velocities = thermal_velocities(np.array([28.0, 28.0]), 300.0, np.random.default_rng(0))
        >>> bool(np.allclose(velocities.sum(axis=0), 0.0))
        True
    """
    velocities = random.normal(size=(len(masses), 3)) * np.sqrt(units.kB * temperature / masses)[:, None]
    return velocities - (masses @ velocities / masses.sum() if len(masses) > 1 else 0.0)


def displacement(state: dict, listed: dict, cutoff: float, skin: float) -> tuple[Any, Any]:
    """Distances that atoms have moved since their neighbors were listed, relative to the cell, and the largest that is allowed.

    Args:
        state: Dict with `positions`, (atoms, 3), and `cell`, (3, 3), in Å.
        listed: Batch of the structure at the time of the list; the cell may only have been scaled since.
        cutoff: Cutoff of the model in Å.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed.

    Returns:
        Tuple of tensors in Å: distances (atoms,), and the distance up to which the list is complete.
    """
    cell = listed["cell"][0]
    before = ops.sum(cell * cell)
    periodic = before > 0
    ratio = ops.where(periodic, ops.sum(state["cell"] * state["cell"]), 1.0) / ops.where(periodic, before, 1.0)
    scale = ops.sqrt(ratio)
    moved = state["positions"] - scale * listed["positions"][0]
    return ops.sqrt(ops.sum(moved * moved, axis=-1)), 0.5 * (scale * (cutoff + skin) - cutoff)
