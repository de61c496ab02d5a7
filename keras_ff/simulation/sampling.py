"""Averages over equilibrium as differentiable functions of the weights of a model, without derivatives of a trajectory."""

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.simulation.dynamics import Dynamics
from keras_ff.stateless import bound

# Atoms whose energies are computed together.
ATOMS = 2048


class Sampling:
    """Frames drawn from equilibrium with some weights, which stand for equilibrium with other weights near by.

    The frames of a simulation with the energy U0 are given the weights

        w ~ exp(-(U - U0) / kT)

    so that averages follow the weights of the model, and can be differentiated. As soon as few frames carry most of the weight, the
    frames are simulated anew: the effective number of frames, 1 / sum w², may not fall below a part of the frames.

        liquid = Sampling(model, atoms, Langevin(2000), frames=200)
        distribution = keras_ff.properties.RadialDistribution(liquid, radii)

    Args:
        model: `ForceField`.
        atoms: Where the simulation starts.
        ensemble: `Langevin`, `NoseHoover` or `NPT`.
        frames: Number of frames.
        every: Steps between frames: uncorrelated ones say most.
        equilibration: Steps before the first frame; a quarter of them when simulated again, from the last frame.
        timestep: In fs.
        smallest: Part of the frames that the effective number may not fall below.
        seed: Of velocities and noise.
        verbose: 0 shows no progress.

    Attributes:
        effective: Effective number of frames, as of the last `update`.
        simulations: How often the frames were simulated.

    Raises:
        ValueError: If the ensemble has no temperature, `smallest` is no part, or atoms fly apart.

    Reference:
        Thaler and Zavadlav, Nat. Commun. 12, 6884 (2021).
    """

    def __init__(
        self, model, atoms, ensemble, frames=100, every=50, equilibration=2000, timestep=1.0, smallest=0.5, seed=0, verbose=1
    ):
        if not ensemble.temperature > 0:
            raise ValueError(f"{type(ensemble).__name__} has no temperature. Sample with Langevin, NoseHoover or NPT.")
        if not 0 < smallest < 1:
            raise ValueError(f"smallest is a part of the frames, between 0 and 1. Received {smallest}.")
        self._settings(model, ensemble.temperature, smallest)
        self.count, self.every, self.equilibration, self.verbose = int(frames), int(every), int(equilibration), verbose
        self._dynamics = Dynamics(model, atoms, ensemble, timestep, seed=seed)
        self.update()

    @classmethod
    def of_frames(cls, model, frames, temperature, smallest=0.1):
        """From frames that were simulated elsewhere, with the weights of the model as they are now.

        Args:
            model: `ForceField`.
            frames: List of `ase.Atoms`, with the same atoms in each.
            temperature: In K.
            smallest: As above. As there is no way to simulate, falling below is an error.
        """
        self = cls.__new__(cls)
        self._settings(model, temperature, smallest)
        self._dynamics = None
        self._store(list(frames))
        self.update()
        return self

    def _settings(self, model, temperature, smallest):
        self.model, self.temperature, self.smallest = model, float(temperature), float(smallest)
        self.simulations, self.version, self.batch = 0, 0, None
        self._batcher, self._pairs = Batcher.of(model), None
        self._weigh = backend.jit(self.weights, layer=model)
        self._energies = backend.jit(lambda batch: self.of_frames_now(batch, model.total_energy), layer=model)

    def update(self):
        """Weigh the frames with the weights as they are now, and simulate them again if too few count.

        Raises:
            ValueError: If too few count, and the frames were simulated elsewhere.
        """
        if self.batch is not None:
            self._weigh_now()
            if self.effective >= self.smallest * len(self.atoms):
                return
            if self._dynamics is None:
                raise ValueError(
                    f"Of {len(self.atoms)} frames only {self.effective:.1f} count effectively, fewer than the part "
                    f"{self.smallest:g} that is asked for: these weights are too far from those of the simulation. Take smaller "
                    "steps, simulate new frames, or make `Sampling` with a structure so that it simulates them itself."
                )
        first = self.simulations == 0
        self._dynamics.run(self.equilibration if first else self.equilibration // 4, every=0, verbose=self.verbose)
        self._store(list(self._dynamics.run(self.count * self.every, self.every, self.verbose)))
        self.simulations += 1
        self._weigh_now()

    def weights(self, batch):
        """Weights of the frames `(frames,)`, whose sum is 1."""
        change = (self.of_frames_now(batch, self.model.total_energy) - batch["energies"]) / (units.kB * self.temperature)
        return ops.softmax(-change)

    def of_frames_now(self, batch, function):
        """A function of batches of structures that gives `(structures, ...)`, for all frames."""
        frames, atoms = batch["positions"].shape[:2]
        together = max(size for size in range(1, frames + 1) if frames % size == 0 and (size == 1 or size * atoms <= ATOMS))
        groups = {
            name: ops.reshape(value, (frames // together, together, *value.shape[1:]))
            for name, value in batch.items()
            if name != "energies"
        }
        of_group = bound(self.model, function)
        _, values = backend.scan(lambda _, group: ((), of_group(group)), (), groups, checkpoint=True)
        return ops.reshape(values, (frames, *values.shape[2:]))

    def prepare(self, observable):
        """Arrays that `average` takes for an observable: its values, if they do not depend on the weights of the model."""
        if observable.explicit:
            return {}
        values = []
        if observable.radius is not None and (self._pairs is None or self._pairs.cutoff != observable.radius):
            self._pairs = Batcher.of(self.model, observable.radius)
        for number, atoms in enumerate(self.atoms):
            frame = {name: self.batch[name][number] for name in ("positions", "cell")}
            if observable.radius is not None:
                lists = self._pairs.exact([self._pairs.record(atoms)])
                frame.update({name: lists[name][0] for name in ("neighbors", "shifts")})
            values.append(ops.convert_to_numpy(observable.of_one(frame)))
        return {"values": np.array(values)}

    def average(self, batch, own, observable):
        """Mean of an observable over equilibrium with the weights of the model, differentiable.

        Args:
            batch: `batch` of this.
            own: What `prepare` returned.
            observable: `keras_ff.properties.Average`.
        """
        values = self.of_frames_now(batch, observable.of_structures) if observable.explicit else own["values"]
        return ops.tensordot(self.weights(batch), values, axes=1)

    def _weigh_now(self):
        self.effective = 1.0 / float((ops.convert_to_numpy(self._weigh(self.batch)).astype("float64") ** 2).sum())

    def _store(self, frames):
        """Take over new frames, with the energies of the weights as they are now."""
        self.atoms = frames
        self.version += 1
        self.batch = self._batcher.exact([self._batcher.record(atoms) for atoms in frames])
        self.batch["energies"] = ops.convert_to_numpy(self._energies(self.batch))
