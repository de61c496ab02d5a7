"""Equilibrium averages as differentiable functions of the weights of a model, by reweighting the frames of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.data.batches import Batcher
from keras_ff.simulation.dynamics import Dynamics
from keras_ff.stateless import bound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from ase import Atoms

    from keras_ff.simulation.ensembles import NVE

# Most atoms whose energies are computed together.
ATOMS = 2048


class Sampling:
    """Sample of equilibrium frames whose averages follow the weights of a model by reweighting.

    The frames of a simulation with the energy U0 are given the statistical weights

        w ~ exp(-(U - U0) / kT)

    with U the energy for the present weights of the model, so that averages are differentiable functions of these. Once few
    frames have most of the statistical weight, the frames are simulated anew: the effective sample size, 1 / sum w², may not fall
    below a fraction of the number of frames. Constraints of ASE are honored as in `Dynamics`.

    Args:
        model: `ForceField`.
        atoms: Structure at the start of the simulation.
        ensemble: `Langevin`, `NoseHoover` or `NPT`.
        frames: Number of frames.
        every: Number of steps between frames; uncorrelated frames are the most informative.
        equilibration: Number of steps before the first frame; later simulations start from the last frame with a quarter of it.
        timestep: Time step in fs.
        smallest: Smallest acceptable effective sample size, as a fraction of the number of frames.
        seed: Seed of velocities and noise.
        verbose: Whether progress bars are shown; 0 shows none.

    Attributes:
        effective: Effective sample size at the last `update`.
        simulations: Number of simulations of the frames.
        atoms: List of the frames, `ase.Atoms`.
        batch: Dict of arrays of the frames that `weights` and `average` take.

    Raises:
        ValueError: If the ensemble has no temperature, `smallest` is not between 0 and 1 or another number is out of range, the
            structure is one that `Dynamics` refuses, or atoms move too far within one step.

    Example:
        ::

            liquid = kff.simulation.Sampling(model, atoms, kff.simulation.Langevin(2000), frames=200)
            distribution = kff.properties.RadialDistribution(liquid, radii)
            target = kff.fitting.Target(distribution, measured)

    Reference:
        Thaler and Zavadlav, Nat. Commun. 12, 6884 (2021).
    """

    def __init__(
        self,
        model: keras.Model,
        atoms: Atoms,
        ensemble: NVE,
        frames: int = 100,
        every: int = 50,
        equilibration: int = 2000,
        timestep: float = 1.0,
        smallest: float = 0.5,
        seed: int = 0,
        verbose: int = 1,
    ):
        self._dynamics = Dynamics(model, atoms, ensemble, timestep, seed=seed)
        if not ensemble.temperature > 0:
            raise ValueError(f"{type(ensemble).__name__} has no temperature. Sample with Langevin, NoseHoover or NPT.")
        if not 0 < smallest < 1:
            raise ValueError(f"smallest is a fraction of the frames, between 0 and 1. Received {smallest}.")
        self._settings(model, ensemble.temperature, smallest)
        self.count, self.every = whole("frames", frames, 1), whole("every", every, 1)
        self.equilibration, self.verbose = whole("equilibration", equilibration, 0), verbose
        self.update()

    @classmethod
    def of_frames(cls, model: keras.Model, frames: Sequence[Atoms], temperature: float, smallest: float = 0.1) -> Sampling:
        """Make a sample of frames that were simulated elsewhere, with the present weights of the model.

        Args:
            model: `ForceField`.
            frames: List of `ase.Atoms`, with the same atoms in each.
            temperature: Temperature of the simulation in K.
            smallest: Smallest acceptable effective sample size, as a fraction of the number of frames. A smaller one is an error,
                as the frames cannot be simulated anew.

        Returns:
            `Sampling`.

        Raises:
            ValueError: If there are no frames, their atoms differ or have elements that the model does not know, or the temperature
                is not positive.
        """
        frames = list(frames)
        if not frames or any(not np.array_equal(atoms.numbers, frames[0].numbers) for atoms in frames):
            raise ValueError(f"A sample is of frames with the same atoms in each. Received {len(frames)} frames.")
        self = cls.__new__(cls)
        self._settings(model, temperature, smallest)
        self._dynamics = None
        self._store(frames)
        self.update()
        return self

    def _settings(self, model, temperature, smallest):
        self.model, self.temperature, self.smallest = model, positive("temperature", temperature, "K"), float(smallest)
        self.simulations, self.version, self.batch = 0, 0, None
        self._batcher, self._pairs = Batcher.of(model), {}
        self._weigh = backend.jit(self.weights, layer=model)
        self._energies = backend.jit(lambda batch: self.of_frames_now(batch, model.total_energy), layer=model)

    def update(self) -> None:
        """Compute the statistical weights for the present weights of the model, and simulate anew if the sample is too small.

        Raises:
            ValueError: If the effective sample size is too small, and the frames were simulated elsewhere.
        """
        if self.batch is not None:
            self._weigh_now()
            if self.effective >= self.smallest * len(self.atoms):
                return
            if self._dynamics is None:
                raise ValueError(
                    f"Of {len(self.atoms)} frames only {self.effective:.1f} count effectively, fewer than the fraction "
                    f"{self.smallest:g} that is required: these weights are too far from those of the simulation. Take smaller "
                    "steps, simulate new frames, or make `Sampling` with a structure so that it simulates them itself."
                )
        first = self.simulations == 0
        self._dynamics.run(self.equilibration if first else self.equilibration // 4, every=0, verbose=self.verbose)
        self._store(list(self._dynamics.run(self.count * self.every, self.every, self.verbose)))
        self.simulations += 1
        self._weigh_now()

    def weights(self, batch: dict) -> Any:
        """Compute the statistical weights of the frames, as a differentiable function of the weights of the model.

        Args:
            batch: The attribute `batch`, or its arrays as tensors.

        Returns:
            Tensor (frames,) whose sum is 1.
        """
        change = (self.of_frames_now(batch, self.model.total_energy) - batch["energies"]) / (units.kB * self.temperature)
        return ops.softmax(-change)

    def of_frames_now(self, batch: dict, function: Callable[[dict], Any]) -> Any:
        """Compute a function of structures for all frames, a few frames at a time, with the present weights of the model.

        Args:
            batch: The attribute `batch`, or its arrays as tensors.
            function: Function of a batch that returns a tensor (structures, ...).

        Returns:
            Tensor (frames, ...).
        """
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

    def prepare(self, observable: Any) -> dict:
        """Make the arrays that `average` needs for an observable: its values, if they do not depend on the weights of the model.

        Args:
            observable: `keras_ff.properties.Average`.

        Returns:
            Dict of arrays, empty if the observable depends on the weights.
        """
        if observable.explicit:
            return {}
        values = []
        if observable.radius is not None:
            # One for each radius keeps its shapes, and with them what is compiled for them.
            pairs = self._pairs.setdefault(observable.radius, Batcher.of(self.model, observable.radius))
        for number, atoms in enumerate(self.atoms):
            frame = {name: self.batch[name][number] for name in ("positions", "cell")}
            if observable.radius is not None:
                lists = pairs.exact([pairs.record(atoms)])
                frame.update({name: lists[name][0] for name in ("neighbors", "shifts")})
            values.append(ops.convert_to_numpy(observable.of_one(frame)))
        return {"values": np.array(values)}

    def average(self, batch: dict, own: dict, observable: Any) -> Any:
        """Compute the equilibrium average of an observable, as a differentiable function of the weights of the model.

        Args:
            batch: The attribute `batch`, or its arrays as tensors.
            own: Result of `prepare` for the observable.
            observable: `keras_ff.properties.Average`.

        Returns:
            Tensor in the shape of the observable.
        """
        values = self.of_frames_now(batch, observable.of_structures) if observable.explicit else own["values"]
        return ops.tensordot(self.weights(batch), values, axes=1)

    def _weigh_now(self):
        self.effective = 1.0 / float((ops.convert_to_numpy(self._weigh(self.batch)).astype("float64") ** 2).sum())

    def _store(self, frames):
        """Replace the frames, and compute their energies with the present weights."""
        self.atoms = frames
        self.version += 1
        self.batch = self._batcher.exact([self._batcher.record(atoms) for atoms in frames])
        self.batch["energies"] = ops.convert_to_numpy(self._energies(self.batch))
