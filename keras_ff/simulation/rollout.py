"""Short trajectories as differentiable functions of the weights of a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.data.batches import Batcher
from keras_ff.data.pymatgen import to_atoms
from keras_ff.simulation.ensembles import NVE, numbers_of, with_numbers
from keras_ff.simulation.noise import normals
from keras_ff.simulation.start import check_model, checked_free, with_velocities
from keras_ff.simulation.steps import evaluate
from keras_ff.stateless import bound

if TYPE_CHECKING:
    import keras
    from ase import Atoms

# Most steps with the same neighbor list, and the arrays of such a list.
SEGMENT = 20
LISTS = ("neighbors", "shifts")

# A skin in Å that is too thin grows by this factor, up to the largest.
GROWTH, LARGEST_SKIN = 1.4, 4.0


class Rollout:
    """Trajectory of fixed length that starts at given positions and velocities, as a differentiable function of the weights.

    Derivatives are propagated backward through all steps. Only the state of each step is stored; all else is computed again in
    the backward pass, so memory grows with the positions, velocities and forces of each step alone. In liquids derivatives grow
    exponentially with time: after a few hundred fs they are useless for averages, for which there is `Sampling`. Constraints of
    ASE are honored as in `Dynamics`.

    Args:
        model: `ForceField`.
        atoms: Structure at the start, with velocities; if all are zero they are drawn for the temperature of the ensemble.
        steps: Number of steps.
        ensemble: `NVE`, `Langevin` or `NoseHoover`, with the same noise in every trajectory; `NVE` by default.
        timestep: Time step in fs.
        every: Number of steps between the frames that averages are taken over.
        seed: Seed of velocities and noise.

    Attributes:
        batch: Dict of arrays that `frames` takes.
        starts: Structures at the start of each group of steps with the same neighbor list.
        version: Number of updates.

    Raises:
        ValueError: If the structure has no atoms, elements that the model does not know or a constraint that is not honored, the
            ensemble has a pressure, a number is out of range, atoms move too far within one step, or something is not finite.

    Example:
        ::

            rollout = kff.simulation.Rollout(model, atoms, steps=200)
            distribution = kff.properties.RadialDistribution(rollout, radii)
            target = kff.fitting.Target(distribution, measured)
    """

    def __init__(
        self,
        model: keras.Model,
        atoms: Atoms,
        steps: int,
        ensemble: NVE | None = None,
        timestep: float = 1.0,
        every: int = 1,
        seed: int = 0,
    ):
        check_model(model)
        atoms, ensemble = to_atoms(atoms), ensemble or NVE()
        self._free = checked_free(atoms, ensemble)
        if ensemble.pressure is not None:
            raise ValueError(
                f"A rollout has a constant cell. Received {type(ensemble).__name__}. Take NVE, Langevin or NoseHoover."
            )
        self.ensemble = with_numbers(ensemble, {"freedom": self._free.thermal})
        self.model, self.timestep = model, positive("timestep", timestep, "fs")
        self.steps, self.every = whole("steps", steps, 1), whole("every", every, 1)
        if self.every > self.steps:
            raise ValueError(f"No frame is kept: every={every} is more than steps={steps}.")
        self.segments = math.ceil(self.steps / SEGMENT)
        self.length = math.ceil(self.steps / self.segments)
        self.atoms = with_velocities(atoms, self._free, self.ensemble.temperature, np.random.default_rng(seed))
        self._velocities = self._free.project(self.atoms.get_velocities()).astype(model.compute_dtype)
        rows = self.ensemble.noise_rows(len(atoms))
        noise = ops.convert_to_numpy(normals(seed, self.segments * self.length, rows, model.compute_dtype))
        noise = noise.reshape(self.segments, self.length, rows, 3)
        self._noise = (self._free.project(noise) if rows else noise).astype(model.compute_dtype)
        self._skin, self.version, self._pairs = 0.5, 0, {}
        # Each skin is compiled for. Forces turn the fastest atom back before it has gone as far as it would without them.
        fastest = np.linalg.norm(self._velocities, axis=-1).max()
        while self._skin < min(1.4 * fastest * self.length * self.timestep * units.fs, LARGEST_SKIN):
            self._skin *= GROWTH
        self._batcher = Batcher.of(model, skin=self._skin)
        self._begin = backend.jit(self._first, layer=model)
        self._go_on = backend.jit(self._segment, layer=model)
        self.update()

    def update(self) -> None:
        """Simulate with the present weights, and list the neighbors along the trajectory anew.

        Raises:
            ValueError: If atoms move too far within one step.
        """
        while (starts := self._listed()) is None:
            self._skin *= GROWTH
            self._batcher.skin = self._skin
        self.starts, self.version = starts, self.version + 1
        batch = self._along(self._batcher)
        self.batch = {
            **{name: value if name in LISTS else value[:1] for name, value in batch.items()},
            "velocities": self._velocities,
            "noise": self._noise,
        }

    def frames(self, batch: dict) -> dict:
        """Compute the trajectory after each step, as a differentiable function of the weights.

        Args:
            batch: The attribute `batch`, or its arrays as tensors.

        Returns:
            Dict of tensors: `positions` (steps, atoms, 3) in Å, `velocities` (steps, atoms, 3) in units of ASE, and potential
            `energy` (steps,) in eV.
        """
        advance = bound(self.model, self._step)

        def step(state, now):
            lists = {name: backend.stop_gradient(ops.take(batch[name], now["list"], axis=0))[None] for name in LISTS}
            return advance(state, {**batch, **lists}, now["noise"])

        first = {**batch, **{name: batch[name][:1] for name in LISTS}}
        noise = ops.reshape(batch["noise"], (self.segments * self.length, *batch["noise"].shape[2:]))
        which = np.repeat(np.arange(self.segments, dtype="int32"), self.length)
        steps = {"list": which[: self.steps], "noise": noise[: self.steps]}
        return backend.scan(step, self._first(first), steps, checkpoint=True)[1]

    def prepare(self, observable: Any) -> dict:
        """Make the arrays that `average` needs for an observable: its pairs of atoms along the trajectory.

        Args:
            observable: `keras_ff.properties.Average`.

        Returns:
            Dict of arrays, empty if the observable needs no pairs.
        """
        if observable.radius is None:
            return {}
        # One for each radius keeps its shapes, and with them what is compiled for them.
        pairs = self._pairs.setdefault(observable.radius, Batcher.of(self.model, observable.radius))
        pairs.skin = self._skin
        batch = self._along(pairs)
        return {name: batch[name] for name in LISTS}

    def _along(self, batcher):
        """A batch of the structures at the starts of the segments, with the positions of a trajectory without jumps."""
        first = batcher.record(self.starts[0])
        return batcher.exact([first, *(batcher.record(atoms, first["placement"]) for atoms in self.starts[1:])])

    def average(self, batch: dict, own: dict, observable: Any) -> Any:
        """Compute the mean of an observable over the trajectory, as a differentiable function of the weights.

        Args:
            batch: The attribute `batch`, or its arrays as tensors.
            own: Result of `prepare` for the observable.
            observable: `keras_ff.properties.Average`.

        Returns:
            Tensor in the shape of the observable.
        """
        frames = {name: values[self.every - 1 :: self.every] for name, values in self.frames(batch).items()}
        which = (np.arange(self.steps, dtype="int32") // self.length)[self.every - 1 :: self.every]
        of_frame = bound(self.model, observable.of_frame)
        cell = ops.convert_to_tensor(batch["cell"])[0]

        def step(_, frame):
            pairs = {name: backend.stop_gradient(ops.take(value, frame["list"], axis=0)) for name, value in own.items()}
            return (), of_frame({**frame, **pairs, "cell": cell})

        _, values = backend.scan(step, (), {**frames, "list": which}, checkpoint=True)
        return ops.mean(values, axis=0)

    def _first(self, batch):
        """State before the first step."""
        results = self._evaluate(of_structure(batch))
        dtype = self.model.compute_dtype
        return {
            "positions": batch["positions"][0],
            "velocities": batch["velocities"],
            "forces": results["forces"],
            "bath": ops.convert_to_tensor(self.ensemble.bath(len(self.atoms)), dtype=dtype),
        }

    def _evaluate(self, structure):
        """Energy, forces along the free directions, and virial."""
        results = evaluate(self.model, structure, training=True)
        if not self._free.held.any():
            return results
        projections = ops.convert_to_tensor(self._free.projections, dtype=self.model.compute_dtype)
        return {**results, "forces": self._free.project(results["forces"], projections)}

    def _segment(self, state, batch):
        """State after the steps that share a neighbor list, and the frames of these steps."""
        return backend.scan(lambda state, noise: self._step(state, batch, noise), state, batch["noise"][0])

    def _step(self, state, batch, noise):
        """State after one step, and its frame."""
        dtype = self.model.compute_dtype
        masses = ops.convert_to_tensor(self.atoms.get_masses()[:, None], dtype=dtype)
        dt = ops.convert_to_tensor(self.timestep * units.fs, dtype=dtype)
        numbers = {name: ops.convert_to_tensor(value, dtype=dtype) for name, value in numbers_of(self.ensemble).items()}
        cell = ops.convert_to_tensor(batch["cell"])[0]

        def forces(positions, cell):
            return self._evaluate({**of_structure(batch), "positions": positions[None]})

        after = with_numbers(self.ensemble, numbers).step({**state, "cell": cell}, forces, masses, dt, noise)
        return {name: after[name] for name in state}, {name: after[name] for name in ("positions", "velocities", "energy")}

    def _listed(self):
        """Structures at the starts of the segments, or None if the skin was too thin."""
        atoms, starts, state, placement = self.atoms.copy(), [], None, None
        for number in range(self.segments):
            starts.append(atoms.copy())
            record = self._batcher.record(atoms, placement)
            placement, batch = record["placement"], self._batcher.exact([record])
            batch["velocities"] = self._velocities
            batch["noise"] = self._noise[number : number + 1]
            if state is None:
                state = self._begin(batch)
            before = record["positions"]
            state, noted = self._go_on(state, batch)
            positions = ops.convert_to_numpy(noted["positions"]).astype("float64")
            moved = np.linalg.norm(positions - before, axis=-1)
            energies, velocities = (ops.convert_to_numpy(noted[name]) for name in ("energy", "velocities"))
            # With the velocities the forces are finite.
            moved[~(np.isfinite(energies) & np.isfinite(velocities).all(axis=(1, 2)))] = np.nan
            if not moved.max() <= 0.5 * self._skin:
                if not moved.max() <= 0.5 * LARGEST_SKIN:
                    raise ValueError(self._lost(moved, number))
                return None
            atoms.positions = self._free.hold(placement.restored(positions[-1], atoms.cell.array), atoms.positions)
        return starts

    def _lost(self, moved, number):
        far = ~(moved <= 0.5 * LARGEST_SKIN)
        step = int(np.argmax(far.any(axis=1)))
        atoms = f"atoms {np.flatnonzero(far[step])[:10].tolist()} move by more than {0.5 * LARGEST_SKIN:g} Å"
        return (
            f"The trajectory is lost by step {number * self.length + step + 1}: within {step + 1} steps of {self.timestep:g} fs "
            f"{atoms if np.isfinite(moved[step]).all() else 'energy or forces are no longer finite'}. Start from a relaxed "
            "structure or shorten the time step; in a fit, take smaller steps."
        )


def of_structure(batch: dict) -> dict:
    """Arrays of a batch that a model takes: all but velocities and noise.

    Args:
        batch: Batch of a rollout.

    Returns:
        Dict of the other arrays.
    """
    return {name: value for name, value in batch.items() if name not in ("velocities", "noise")}
