"""Molecular dynamics in compiled chunks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.data.pymatgen import to_atoms
from keras_ff.simulation.constraints import FreeDirections
from keras_ff.simulation.ensembles import numbers_of, with_numbers
from keras_ff.simulation.lists import DeviceLists, HostLists
from keras_ff.simulation.noise import key
from keras_ff.simulation.start import check_model, checked_free, with_velocities
from keras_ff.simulation.steps import NOTED, Steps
from keras_ff.simulation.trajectory import Trajectory

if TYPE_CHECKING:
    import keras
    from ase import Atoms
    from pymatgen.core import Structure

    from keras_ff.simulation.ensembles import NVE

# Steps of all atoms that one call of the compiled loop takes, on the CPU and elsewhere, and bounds for the number of steps.
WORK, FEWEST_STEPS, MOST_STEPS = {False: 5e6, True: 2e8}, 20, 1000

# Most frames that a call keeps, and most numbers of their positions.
FRAMES, NUMBERS = 100, {False: 150_000, True: 3_000_000}

# Fewest steps between two looks at how far the model extrapolates.
LOOK = 100

# Steps of a frame where none is kept.
NEVER = 2**30

# Calls without a step after which a simulation is lost: each has more room for neighbors.
ATTEMPTS = 4


class Dynamics:
    """Molecular dynamics simulation of one structure with a force field.

    Loops of many steps are compiled; on an accelerator the search for neighbors is part of them, so that nothing leaves it.
    Neighbors are listed within cutoff + skin, and listed again before an atom has moved by half of the skin: no step is taken with
    a list that may lack a neighbor.

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
        steps: Number of steps taken. Each has noise of its own: set it to that of a run that goes on.
        trajectory: `Trajectory` of the last run, also of one that was interrupted or ended in an error.
        grades: List of the largest extrapolation grades of an atom, one for at least 100 steps, if the model has learned them (see
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
        self._seed = seed
        self.atoms, self.steps = with_velocities(atoms, self._free, ensemble.temperature, np.random.default_rng(seed)), 0
        self.trajectory = Trajectory(self.atoms, 0.0)
        self._span = int(np.clip(WORK[backend.accelerated()] // len(atoms), FEWEST_STEPS, MOST_STEPS))
        self._frames = int(np.clip(NUMBERS[backend.accelerated()] // (3 * len(atoms)), 1, FRAMES))
        # A cell that changes has other waves with each list.
        waves = ensemble.pressure is not None and model.wave_cutoff > 0
        lists = DeviceLists if backend.accelerated() and not waves else HostLists
        self._lists, self._compiled, self._state = lists(model, self.skin, ensemble.pressure is not None), {}, None
        self.grades = []
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
        frames, done, looked = [], 0, 0
        try:
            self._begin()
            with tqdm(total=steps, desc="dynamics", disable=not verbose, leave=False, delay=2) as bar:
                while done < steps:
                    count, taken = self._advance(steps - done, done % every if every else 0, every or NEVER)
                    frames += taken
                    done += count
                    bar.update(count)
                    if done - looked >= LOOK or done == steps:
                        self._look()
                        looked = done
        finally:
            self._update_atoms()
            self.trajectory = Trajectory.of_frames(self.atoms, self.timestep * every, frames)
        return self.trajectory

    def _begin(self):
        """State at the start, with the forces for the present weights."""
        dtype, atoms = self.model.compute_dtype, self.atoms
        if not np.array_equal(FreeDirections(atoms).projections, self._free.projections):
            raise ValueError("The constraints of the atoms have changed. Make another Dynamics(model, dynamics.atoms, ...).")
        self._state = None
        positions = self._lists.place(atoms)
        state = {
            "positions": positions,
            "velocities": self._free.project(atoms.get_velocities()).astype(dtype),
            "forces": np.zeros((len(atoms), 3), dtype),
            "energy": np.zeros((), dtype),
            "cell": (atoms.cell.array * atoms.pbc[:, None]).astype(dtype),
            "bath": self._bath.astype(dtype),
        }
        if self.ensemble.pressure is not None:
            # An entry that the state does not have is not computed.
            state["virial"] = np.zeros((3, 3), dtype)
        for _ in range(ATTEMPTS):
            # A step with a time step of 0 moves nothing, and computes the forces.
            out = self._loop(state, 0.0, {"last": 1, "origin": 0, "phase": 0, "every": NEVER})
            if bool(out["complete"]):
                break
            state["positions"] = self._lists.place(atoms, out["needs"])
        if not int(out["next"]):
            # The search on the host names what is wrong with the neighbors.
            self._lists.batcher.record(atoms)
            raise ValueError(
                f"The energy or the forces of {atoms.get_chemical_formula()} are not finite at the start. Look at its shortest "
                "distances, and at the weights of the model."
            )
        self._state = out["state"]

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

    def _loop(self, state, timestep, span):
        """Result of the compiled loop."""
        numbers, masses, projections, dt = self._numbers(timestep)
        moving = {"masses": masses, "projections": projections, "dt": dt, "seed": key(self._seed)}
        span = {name: np.int32(value) for name, value in span.items()}
        return self._functions()[0](state, self._lists.arrays, numbers, moving, span)

    def _functions(self):
        """The compiled loop and the compiled extrapolation grades, for the present sizes of lists."""
        if self._lists.key not in self._compiled:
            steps = Steps(self.model, self._counted(), self._free, self._lists, self._frames)
            self._compiled[self._lists.key] = [backend.jit(one, layer=self.model) for one in (steps, steps.grades)]
        return self._compiled[self._lists.key]

    def _advance(self, most, phase, every):
        """Take the steps of one call of the loop, at least one. Returns their number, and the frames that are complete."""
        last = min(self._span, most, self._frames * every - phase)
        for _ in range(ATTEMPTS):
            span = {"last": last, "origin": self.steps % NEVER, "phase": phase, "every": every}
            out = self._loop(self._state, self.timestep, span)
            count, complete = int(out["next"]), bool(out["complete"])
            if complete and not count and (self._lists.fresh or self._lists.renews):
                break
            if count:
                self._state, kept = out["state"], self._kept(out["frames"], (phase + count) // every)
                self._lists.fresh, self.steps = False, self.steps + count
            if count < last:
                self._update_atoms()
                self._state = {**self._state, "positions": self._lists.place(self.atoms, None if complete else out["needs"])}
            if count:
                return count, kept
        self._update_atoms()
        raise ValueError(lost(self, ops.convert_to_numpy(out["moved"])))

    def _kept(self, frames, count):
        """The first frames of a call, as `Trajectory` takes them."""
        frames = {name: ops.convert_to_numpy(values[:count]).astype("float64") for name, values in frames.items()} if count else {}
        cells = self._cell(frames["cell"]) if count else ()
        positions = self._restored(frames["positions"], cells) if count else ()
        bath = (self._counted().bath_energy(one, len(self.atoms)) for one in frames.get("bath", ()))
        return list(zip(positions, frames.get("velocities", ()), cells, frames.get("energy", ()), bath, strict=True))

    def _update_atoms(self):
        """Bring the structure to the state of the simulation."""
        if self._state is None:
            return
        state = {name: ops.convert_to_numpy(self._state[name]).astype("float64") for name in NOTED}
        positions = self._restored(state["positions"], self._cell(state["cell"]))
        self.atoms.set_cell(self._cell(state["cell"]))
        self.atoms.positions = positions
        self.atoms.set_momenta(self.atoms.get_masses()[:, None] * state["velocities"], apply_constraint=False)
        self._bath = state["bath"]

    def _look(self):
        """Note the largest extrapolation grade of an atom, and warn at the first above 1."""
        if getattr(self.model, "extrapolation", None) is None:
            return
        found, complete = self._functions()[1](self._state, self._lists.arrays)
        if not bool(complete):
            return
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
        return self._free.hold(self._lists.record["placement"].restored(near, cell), self.atoms.positions)

    def _cell(self, cell):
        """Cells as the user gave them, unrounded and with all vectors, unless the pressure changes them."""
        return np.broadcast_to(self.atoms.cell.array, cell.shape) if self.ensemble.pressure is None else cell


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
