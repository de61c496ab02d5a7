"""Molecular dynamics in compiled chunks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.data.batches import Batcher
from keras_ff.data.pymatgen import to_atoms
from keras_ff.simulation.constraints import FreeDirections
from keras_ff.simulation.ensembles import numbers_of, with_numbers
from keras_ff.simulation.start import check_model, checked_free, with_velocities
from keras_ff.simulation.trajectory import Trajectory

if TYPE_CHECKING:
    import keras
    from ase import Atoms
    from pymatgen.core import Structure

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

    Constraints of ASE that leave an atom a plane, a line or a point are honored: `FixAtoms`, `FixCartesian`, `FixScaled`,
    `FixedPlane` and `FixedLine`. Thermostats count the degrees of freedom that remain.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms` with velocities, or a `Structure` of pymatgen. Velocities that are all zero are drawn for the
            temperature of the ensemble.
        ensemble: `NVE`, `Langevin`, `NoseHoover` or `NPT`.
        timestep: Time step in fs.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed. A thicker one makes steps slower and
            neighbor searches rarer.
        seed: Seed of velocities and noise. The same seed gives the same trajectory, up to rounding, on both backends.

    Attributes:
        atoms: The structure as it is now, with velocities.
        steps: Number of steps taken.
        trajectory: `Trajectory` of the last run, also of one that was interrupted or ended in an error.
        grades: List of the largest extrapolation grades of an atom, one after each loop, if the model has learned them (see
            `keras_ff.models.learn_extrapolation`).

    Raises:
        TypeError: If the model is no `ForceField`, or the ensemble none.
        ValueError: If the structure has no atoms or a constraint of another kind, time step or skin are not positive, or the
            ensemble has a pressure and the structure is not periodic in three directions or has constraints.

    Example:
        ::

            dynamics = kff.simulation.Dynamics(model, silicon, kff.simulation.Langevin(2000))
            dynamics.run(1000)                           # equilibration
            trajectory = dynamics.run(5000, every=50)
            trajectory.temperatures.mean(), trajectory[-1]
    """

    def __init__(
        self, model: keras.Model, atoms: Atoms | Structure, ensemble: NVE, timestep: float = 1.0, skin: float = 0.5, seed: int = 0
    ):
        check_model(model)
        atoms = to_atoms(atoms)
        self._free = checked_free(atoms, ensemble)
        self.model, self._ensemble = model, ensemble
        self.timestep, self.skin = positive("timestep", timestep, "fs"), positive("skin", skin, "Å")
        self._random = np.random.default_rng(seed)
        self.atoms, self.steps = with_velocities(atoms, self._free, ensemble.temperature, self._random), 0
        self.trajectory = Trajectory(self.atoms, 0.0)
        self._rows = ensemble.noise_rows(len(atoms))
        self._chunk = int(np.clip(NUMBERS // (3 * len(atoms)), 1, CHUNK))
        self._batcher, self._record, self._list = Batcher.of(model, skin=self.skin), None, None
        self._loop, self._grades, self.grades = backend.jit(self._steps, layer=model), None, []
        if getattr(model, "extrapolation", None) is not None:
            self._grades = backend.jit(model.grades, layer=model)
        self._bath = self._counted().bath(len(atoms))

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
            steps: Number of steps, 0 or more.
            every: Number of steps between the frames that are kept; 0 keeps none.
            verbose: Whether a progress bar is shown; 0 shows none.

        Returns:
            `Trajectory` of the frames, the last of which is after `steps // every * every` steps.

        Raises:
            ValueError: If the atoms have elements that the model does not know, their constraints were changed, atoms move too far
                within one step, or something is not finite after it. `atoms` is then as it was before that step, and the frames
                before it are in `trajectory`.

        Warns:
            UserWarning: If the model extrapolates for the first time, as far as it knows its training set.
        """
        steps, every = whole("steps", steps, 0), whole("every", every, 0)
        frames, done = [], 0
        try:
            self._state = self._begin()
            with tqdm(total=steps, desc="dynamics", disable=not verbose, leave=False, delay=2) as bar:
                while done < steps:
                    count = min(self._chunk, steps - done)
                    for step, noted in self._advance(count):
                        if every and (done + step + 1) % every == 0:
                            frames.append(self._frame(noted, step))
                    done += count
                    bar.update(count)
                    self._look()
        finally:
            self.trajectory = Trajectory.of_frames(self.atoms, self.timestep * every, frames)
        return self.trajectory

    def _begin(self):
        """State at the start, with the forces for the present weights."""
        dtype, atoms = self.model.compute_dtype, self.atoms
        if not np.array_equal(FreeDirections(atoms).projections, self._free.projections):
            raise ValueError("The constraints of the atoms have changed. Make another Dynamics(model, dynamics.atoms, ...).")
        self._list = self._listed()
        state = {
            "positions": self._list["positions"][0],
            "velocities": self._free.project(atoms.get_velocities()).astype(dtype),
            "forces": np.zeros((len(atoms), 3), dtype),
            "energy": np.zeros((), dtype),
            "cell": (atoms.cell.array * atoms.pbc[:, None]).astype(dtype),
            "bath": self._bath.astype(dtype),
        }
        if self.ensemble.pressure is not None:
            # An entry that the state does not have is not computed.
            state["virial"] = np.zeros((3, 3), dtype)
        noise = np.zeros((self._chunk, self._rows, 3), dtype)
        # A step with a time step of 0 moves nothing, and computes the forces.
        last, state, _, _ = self._loop(state, self._list, *self._numbers(0.0), noise, np.int32(0), np.int32(1))
        if not int(last):
            raise ValueError(
                f"The energy or the forces of {atoms.get_chemical_formula()} are not finite at the start. Look at its shortest "
                "distances, and at the weights of the model."
            )
        return state

    def _counted(self):
        """The ensemble with the degrees of freedom of these atoms."""
        return with_numbers(self.ensemble, {"freedom": self._free.thermal})

    def _numbers(self, timestep):
        """Numbers of the ensemble, masses, projections onto the free directions, and the time step in units of ASE."""
        dtype = self.model.compute_dtype
        numbers = {name: np.asarray(value, dtype) for name, value in numbers_of(self.ensemble).items()}
        # Without constraints nothing is projected.
        projections = self._free.projections if self._free.held.any() else np.zeros((0, 3, 3))
        masses = self.atoms.get_masses()[:, None]
        return numbers, masses.astype(dtype), projections.astype(dtype), np.asarray(timestep * units.fs, dtype)

    def _listed(self):
        self._record = self._batcher.record(self.atoms)
        return self._batcher.exact([self._record])

    def _advance(self, count):
        """Take the steps of one chunk. Yields for each step its index in the chunk, and the records of all steps."""
        noise = np.zeros((self._chunk, self._rows, 3), self.model.compute_dtype)
        noise[:count] = self._random.normal(size=(count, self._rows, 3))
        if self._free.held.any() and self._rows:
            noise[:count] = self._free.project(noise[:count])
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
                raise ValueError(lost(self, ops.convert_to_numpy(moved)))
            if last < count:
                self._list = None
            noted = {name: ops.convert_to_numpy(values).astype("float64") for name, values in noted.items()}
            noted["cell"] = self._cell(noted["cell"])
            noted["positions"] = self._restored(noted["positions"], noted["cell"])
            yield from ((index, noted) for index in range(first, last))
            self.steps += last - first
            first = last
            state = {name: ops.convert_to_numpy(self._state[name]).astype("float64") for name in NOTED}
            self.atoms.set_cell(self._cell(state["cell"]))
            self.atoms.positions = self._restored(state["positions"], self.atoms.cell.array)
            self.atoms.set_momenta(self.atoms.get_masses()[:, None] * state["velocities"], apply_constraint=False)
            self._bath = state["bath"]

    def _look(self):
        """Note the largest extrapolation grade of an atom, and warn at the first above 1."""
        if self._grades is None:
            return
        listed = self._listed() if self._list is None else self._list
        state = self._state if self._list is not None else {"positions": listed["positions"][0], "cell": listed["cell"][0]}
        found = self._grades({**listed, "positions": state["positions"][None], "cell": state["cell"][None]})
        found = {name: ops.convert_to_numpy(values)[0, : len(self.atoms)] for name, values in found.items()}
        worst = max(found, key=lambda name: found[name].max())
        grade, atom = float(found[worst].max()), int(found[worst].argmax())
        if grade > 1 and max(self.grades, default=0.0) <= 1:
            warnings.warn(
                f"The model extrapolates after {self.steps * self.timestep:g} fs: the {worst} of atom {atom} "
                f"({self.atoms.symbols[atom]}) is {grade:.2f} times its threshold in the training set. Energies and forces may be "
                "wrong from here on.",
                stacklevel=3,
            )
        self.grades.append(grade)

    def _restored(self, near, cell):
        """Positions of the user, with those of fixed atoms as they were given."""
        return self._free.hold(self._record["placement"].restored(near, cell), self.atoms.positions)

    def _steps(self, state, listed, numbers, masses, projections, dt, noise, first, count):
        """Take steps up to `count`, or as many as the list allows.

        Returns the number of the next step, the state, the records of all steps, and how far atoms have moved.
        """
        zero = ops.zeros((), "int32")
        ensemble = with_numbers(self._counted(), numbers)

        def forces(positions, cell):
            results = evaluate(self.model, {**listed, "positions": positions[None], "cell": cell[None]})
            if not projections.shape[0]:
                return results
            return {**results, "forces": self._free.project(results["forces"], projections)}

        def continues(index, well, *_):
            return ops.logical_and(index < count, well)

        def step(index, _, state, noted, _moved):
            after = ensemble.step(state, forces, masses, dt, noise[index] if self._rows else None)
            moved, room = displacement(after, listed, self.model.cutoff, self.skin)
            # A sum of squares is finite if all velocities, and with them the forces, are. Of NaN the first is False.
            finite = ops.isfinite(after["energy"] + ops.sum(after["velocities"] ** 2))
            well = ops.logical_and(ops.max(moved) <= room, finite)
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
        return np.broadcast_to(self.atoms.cell.array, cell.shape) if self.ensemble.pressure is None else cell

    def _frame(self, noted, place):
        positions, velocities, cell, energy, bath = (noted[name][place] for name in NOTED)
        return positions, velocities, cell, energy, self._counted().bath_energy(bath, len(self.atoms))


def lost(dynamics: Dynamics, moved: np.ndarray) -> str:
    """Message of an error about a step that cannot be taken.

    Args:
        dynamics: The simulation, before that step.
        moved: Distances in Å by which atoms would move, (atoms,).

    Returns:
        Sentences that name the step, the atoms that move too far, and the fastest atom before it.
    """
    far = np.flatnonzero(~(moved <= 0.5 * dynamics.skin))
    names = f"atoms {far[:10].tolist()}{' and others' if len(far) > 10 else ''}"
    if np.isfinite(moved).all() and len(far):
        happened = f"{names} move by up to {np.max(moved):.3g} Å, more than half of the skin"
    elif len(far):
        happened = f"the positions of {names} are no longer finite"
    else:
        happened = "energy or forces are no longer finite"
    kinetic = dynamics.atoms.get_masses() * np.sum(dynamics.atoms.get_velocities() ** 2, axis=1)
    hottest = int(np.argmax(kinetic))
    return (
        f"The trajectory is lost in step {dynamics.steps + 1}, after {dynamics.steps * dynamics.timestep:g} fs: within one step of "
        f"{dynamics.timestep:g} fs {happened}. The hottest atom before it is atom {hottest} ({dynamics.atoms.symbols[hottest]}), "
        f"with {kinetic[hottest] / (3.0 * units.kB):.3g} K. Start from a relaxed structure, shorten the time step, or give a "
        "thicker skin. The structure before that step is in `atoms`: look at its shortest distances and at the forces there. "
        "Earlier frames are in `trajectory`."
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
