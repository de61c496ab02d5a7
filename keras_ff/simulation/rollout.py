"""Short trajectories as differentiable functions of the weights of a model."""

import math

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.models.batches import batch_of
from keras_ff.simulation.dynamics import evaluate, thermal_velocities
from keras_ff.simulation.ensembles import NVE

# Steps with the same list of neighbors.
SEGMENT = 20

# A skin in Å that does not suffice grows by this factor, up to the largest.
GROWTH, LARGEST_SKIN = 1.4, 4.0


class Rollout:
    """A trajectory of fixed length that starts at given positions and velocities, as a function of the weights of a model.

    Derivatives go backward through all steps. What a step computes is not kept but computed again, from states that are kept every 20
    steps, so that memory grows slowly. In liquids derivatives grow exponentially in time: after some hundred fs they say nothing about
    averages, for which there is `Sampling`.

        rollout = Rollout(model, atoms, steps=200)
        distribution = keras_ff.properties.RadialDistribution(rollout, radii)

    Args:
        model: `ForceField`.
        atoms: Where it starts, with velocities; where all are zero they are drawn for the temperature of the ensemble.
        steps: Number of steps.
        ensemble: `NVE`, `Langevin` or `NoseHoover`; with noise, that of the seed.
        timestep: In fs.
        seed: Of velocities and noise.

    Attributes:
        batch: Arrays that `frames` takes.

    Raises:
        ValueError: If the atoms have elements that the model does not know.
        RuntimeError: If atoms fly apart.
    """

    def __init__(self, model, atoms, steps, ensemble=None, timestep=1.0, seed=0):
        self.model, self.atoms, self.timestep = model, atoms.copy(), float(timestep)
        self.ensemble = ensemble or NVE()
        self.steps = int(steps)
        self.segments = math.ceil(self.steps / SEGMENT)
        self.length = math.ceil(self.steps / self.segments)
        random = np.random.default_rng(seed)
        if not self.atoms.get_momenta().any():
            self.atoms.set_velocities(thermal_velocities(atoms.get_masses(), self.ensemble.temperature, random))
        rows = self.ensemble.noise_rows(len(atoms))
        self._noise = random.normal(size=(self.segments, self.length, rows, 3)).astype(model.compute_dtype)
        self._skin, self._columns = 0.5, 0
        self._begin = backend.jit(self._first, layer=model)
        self._go_on = backend.jit(self._segment, layer=model)
        self.update()

    def update(self):
        """List the neighbors along the trajectory with the weights as they are now."""
        while (starts := self._listed()) is None:
            self._skin *= GROWTH
        self.starts = starts
        batches = [batch_of(self.model, atoms, self.model.cutoff + self._skin, self._columns) for atoms in starts]
        self._columns = max(batch["neighbors"].shape[2] for batch in batches)
        lists = {
            name: np.concatenate([padded(batch[name], self._columns, fill) for batch in batches])
            for name, fill in (("neighbors", -1), ("shifts", 0.0))
        }
        self.batch = {
            **{name: value for name, value in batches[0].items() if name not in lists},
            "velocities": self.atoms.get_velocities().astype(self.model.compute_dtype),
            "noise": self._noise,
            **lists,
        }

    def frames(self, batch):
        """The trajectory after each step.

        Returns:
            Dict of `positions` and `velocities` `(steps, atoms, 3)` in Å and units of ASE, and potential `energy` `(steps,)` in eV.
        """
        moving = ("neighbors", "shifts", "noise")
        fixed = {name: value for name, value in batch.items() if name not in moving}
        first = {**fixed, **{name: batch[name][:1] for name in moving[:2]}}

        def segment(state, moved):
            return self._segment(state, {**fixed, **{name: value[None] for name, value in moved.items()}})

        _, frames = backend.scan(segment, self._first(first), {name: batch[name] for name in moving}, checkpoint=True)
        return {name: ops.reshape(values, (-1, *values.shape[2:]))[: self.steps] for name, values in frames.items()}

    def _first(self, batch):
        """The state before the first step."""
        found = evaluate(self.model, {name: batch[name] for name in batch if name not in ("velocities", "noise")}, training=True)
        dtype = self.model.compute_dtype
        return {
            "positions": batch["positions"][0],
            "velocities": batch["velocities"],
            "forces": found["forces"],
            "bath": ops.convert_to_tensor(self.ensemble.bath(len(self.atoms)), dtype=dtype),
        }

    def _segment(self, state, batch):
        """The steps that share a list: the state after them, and what is noted of each."""
        dt, cell = self.timestep * units.fs, batch["cell"][0]
        masses = ops.convert_to_tensor(self.atoms.get_masses()[:, None], dtype=self.model.compute_dtype)
        listed = {name: batch[name] for name in batch if name not in ("velocities", "noise", "positions")}

        def forces(positions, cell):
            return evaluate(self.model, {**listed, "positions": positions[None]}, training=True)

        def step(state, noise):
            after = self.ensemble.step({**state, "cell": cell}, forces, masses, dt, noise)
            noted = {name: after[name] for name in ("positions", "velocities", "energy")}
            return {name: after[name] for name in state}, noted

        return backend.scan(step, state, batch["noise"][0])

    def _listed(self):
        """The structures at the starts of the segments, or None where the skin did not suffice."""
        atoms, starts, state = self.atoms.copy(), [], None
        for number in range(self.segments):
            starts.append(atoms.copy())
            batch = batch_of(self.model, atoms, self.model.cutoff + self._skin, self._columns)
            self._columns = batch["neighbors"].shape[2]
            batch["velocities"] = self.atoms.get_velocities().astype(self.model.compute_dtype)
            batch["noise"] = self._noise[number : number + 1]
            if state is None:
                state = self._begin(batch)
            before = atoms.positions
            state, noted = self._go_on(state, batch)
            positions = ops.convert_to_numpy(noted["positions"]).astype("float64")
            moved = np.linalg.norm(positions - before, axis=-1)
            if not moved.max() <= 0.5 * self._skin:
                if not moved.max() <= 0.5 * LARGEST_SKIN:
                    raise RuntimeError(self._lost(moved, number))
                return None
            atoms.positions = positions[-1]
        return starts

    def _lost(self, moved, number):
        far = ~(moved <= 0.5 * LARGEST_SKIN)
        place = int(np.argmax(far.any(axis=1)))
        return (
            f"The trajectory is lost by step {number * self.length + place + 1}: within {place + 1} steps of {self.timestep:g} fs atoms "
            f"{np.flatnonzero(far[place])[:10].tolist()} move by more than {0.5 * LARGEST_SKIN:g} Å. Start from a relaxed structure or "
            "shorten the time step; in a fit, take smaller steps."
        )


def padded(array, columns, fill):
    """An array `(structures, atoms, neighbors, ...)` with empty places up to a number of columns."""
    missing = [(0, 0), (0, 0), (0, columns - array.shape[2]), *[(0, 0)] * (array.ndim - 3)]
    return np.pad(array, missing, constant_values=fill)
