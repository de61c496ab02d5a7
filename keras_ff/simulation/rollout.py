"""Short trajectories as differentiable functions of the weights of a model."""

import math

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.simulation.dynamics import evaluate, thermal_velocities
from keras_ff.simulation.ensembles import NVE, numbers_of, with_numbers
from keras_ff.stateless import bound

# Steps with the same list of neighbors, and what such a list consists of.
SEGMENT = 20
LISTS = ("neighbors", "shifts")

# A skin in Å that does not suffice grows by this factor, up to the largest.
GROWTH, LARGEST_SKIN = 1.4, 4.0


class Rollout:
    """A trajectory of fixed length that starts at given positions and velocities, as a function of the weights of a model.

    Derivatives go backward through all steps. Of a step its state is kept, and what it computes is computed again: memory grows by
    the positions, velocities and forces of each step, and by nothing that the potential computes. In liquids derivatives grow
    exponentially in time: after some hundred fs they say nothing about averages, for which there is `Sampling`.

        rollout = Rollout(model, atoms, steps=200)
        distribution = keras_ff.properties.RadialDistribution(rollout, radii)

    Args:
        model: `ForceField`.
        atoms: Where it starts, with velocities; where all are zero they are drawn for the temperature of the ensemble.
        steps: Number of steps.
        ensemble: `NVE`, `Langevin` or `NoseHoover`; with noise, that of the seed.
        timestep: In fs.
        every: Steps between the frames that averages are taken of.
        seed: Of velocities and noise.

    Attributes:
        batch: Arrays that `frames` takes.

    Raises:
        ValueError: If the atoms have elements that the model does not know, or fly apart.
    """

    def __init__(self, model, atoms, steps, ensemble=None, timestep=1.0, every=1, seed=0):
        self.model, self.atoms, self.timestep, self.every = model, atoms.copy(), float(timestep), int(every)
        self.ensemble = ensemble or NVE()
        self.steps = int(steps)
        self.segments = math.ceil(self.steps / SEGMENT)
        self.length = math.ceil(self.steps / self.segments)
        random = np.random.default_rng(seed)
        if not self.atoms.get_momenta().any():
            self.atoms.set_velocities(thermal_velocities(atoms.get_masses(), self.ensemble.temperature, random))
        rows = self.ensemble.noise_rows(len(atoms))
        self._noise = random.normal(size=(self.segments, self.length, rows, 3)).astype(model.compute_dtype)
        self._skin, self.version, self._pairs = 0.5, 0, None
        self._batcher = Batcher.of(model, skin=self._skin)
        self._begin = backend.jit(self._first, layer=model)
        self._go_on = backend.jit(self._segment, layer=model)
        self.update()

    def update(self):
        """List the neighbors along the trajectory with the weights as they are now."""
        while (starts := self._listed()) is None:
            self._skin *= GROWTH
            self._batcher.skin = self._skin
        self.starts, self.version = starts, self.version + 1
        batch = self._along(self._batcher)
        self.batch = {
            **{name: value if name in LISTS else value[:1] for name, value in batch.items()},
            "velocities": self.atoms.get_velocities().astype(self.model.compute_dtype),
            "noise": self._noise,
        }

    def frames(self, batch):
        """The trajectory after each step.

        Returns:
            Dict of `positions` and `velocities` `(steps, atoms, 3)` in Å and units of ASE, and potential `energy` `(steps,)` in eV.
        """
        go_on = bound(self.model, self._step)

        def step(state, now):
            lists = {name: backend.stop_gradient(ops.take(batch[name], now["list"], axis=0))[None] for name in LISTS}
            return go_on(state, {**batch, **lists}, now["noise"])

        first = {**batch, **{name: batch[name][:1] for name in LISTS}}
        noise = ops.reshape(batch["noise"], (self.segments * self.length, *batch["noise"].shape[2:]))
        which = np.repeat(np.arange(self.segments, dtype="int32"), self.length)
        steps = {"list": which[: self.steps], "noise": noise[: self.steps]}
        return backend.scan(step, self._first(first), steps, checkpoint=True)[1]

    def prepare(self, observable):
        """Arrays that `average` takes for an observable: pairs of atoms along the trajectory."""
        if observable.radius is None:
            return {}
        if self._pairs is None or self._pairs.cutoff != observable.radius:
            self._pairs = Batcher.of(self.model, observable.radius)
        self._pairs.skin = self._skin
        batch = self._along(self._pairs)
        return {name: batch[name] for name in LISTS}

    def _along(self, batcher):
        """A batch of the structures at the starts of the segments, with the positions of a trajectory without jumps."""
        first = batcher.record(self.starts[0])
        return batcher.exact([first, *(batcher.record(atoms, first["placement"]) for atoms in self.starts[1:])])

    def average(self, batch, own, observable):
        """Mean of an observable over the trajectory, differentiable.

        Args:
            batch: As `frames` takes it.
            own: What `prepare` returned.
            observable: `keras_ff.properties.Average`.
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
        """The state before the first step."""
        found = evaluate(self.model, of_structure(batch), training=True)
        dtype = self.model.compute_dtype
        return {
            "positions": batch["positions"][0],
            "velocities": batch["velocities"],
            "forces": found["forces"],
            "bath": ops.convert_to_tensor(self.ensemble.bath(len(self.atoms)), dtype=dtype),
        }

    def _segment(self, state, batch):
        """The steps that share a list: the state after them, and what is noted of each."""
        return backend.scan(lambda state, noise: self._step(state, batch, noise), state, batch["noise"][0])

    def _step(self, state, batch, noise):
        """The state one step later, and what is noted of it."""
        dtype = self.model.compute_dtype
        masses = ops.convert_to_tensor(self.atoms.get_masses()[:, None], dtype=dtype)
        dt = ops.convert_to_tensor(self.timestep * units.fs, dtype=dtype)
        numbers = {name: ops.convert_to_tensor(value, dtype=dtype) for name, value in numbers_of(self.ensemble).items()}
        cell = ops.convert_to_tensor(batch["cell"])[0]

        def forces(positions, cell):
            return evaluate(self.model, {**of_structure(batch), "positions": positions[None]}, training=True)

        after = with_numbers(self.ensemble, numbers).step({**state, "cell": cell}, forces, masses, dt, noise)
        return {name: after[name] for name in state}, {name: after[name] for name in ("positions", "velocities", "energy")}

    def _listed(self):
        """The structures at the starts of the segments, or None where the skin did not suffice."""
        atoms, starts, state, placement = self.atoms.copy(), [], None, None
        for number in range(self.segments):
            starts.append(atoms.copy())
            record = self._batcher.record(atoms, placement)
            placement, batch = record["placement"], self._batcher.exact([record])
            batch["velocities"] = self.atoms.get_velocities().astype(self.model.compute_dtype)
            batch["noise"] = self._noise[number : number + 1]
            if state is None:
                state = self._begin(batch)
            before = record["positions"]
            state, noted = self._go_on(state, batch)
            positions = ops.convert_to_numpy(noted["positions"]).astype("float64")
            moved = np.linalg.norm(positions - before, axis=-1)
            if not moved.max() <= 0.5 * self._skin:
                if not moved.max() <= 0.5 * LARGEST_SKIN:
                    raise ValueError(self._lost(moved, number))
                return None
            atoms.positions = placement.restored(positions[-1], atoms.cell.array)
        return starts

    def _lost(self, moved, number):
        far = ~(moved <= 0.5 * LARGEST_SKIN)
        place = int(np.argmax(far.any(axis=1)))
        return (
            f"The trajectory is lost by step {number * self.length + place + 1}: within {place + 1} steps of {self.timestep:g} fs "
            f"atoms {np.flatnonzero(far[place])[:10].tolist()} move by more than {0.5 * LARGEST_SKIN:g} Å. Start from a relaxed "
            "structure or shorten the time step; in a fit, take smaller steps."
        )


def of_structure(batch):
    """What the model takes of a batch."""
    return {name: value for name, value in batch.items() if name not in ("velocities", "noise")}
