"""Averages over simulations as differentiable functions of the weights of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.geometry import determinant
from keras_ff.properties.base import Property
from keras_ff.properties.pairs import checked_radii, pair_distribution, pair_masks, reach
from keras_ff.simulation.rollout import Rollout
from keras_ff.simulation.sampling import Sampling

if TYPE_CHECKING:
    from ase import Atoms


class Average(Property):
    """Base class of averages: the mean of an observable over a simulation, differentiable with respect to the weights.

    A subclass computes the observable of one frame in `of_frame`. If the observable depends on the weights of the model and not on
    the positions alone, the subclass sets `explicit = True` and computes it for a batch of structures in `of_structures`.

        class MeanVolume(Average):
            def of_frame(self, frame):
                return ops.abs(keras_ff.geometry.determinant(frame["cell"]))

        volume = MeanVolume(Sampling(model, atoms, NPT(300.0)))
        volume(), volume.gradient(lambda x: x)

    Args:
        source: `keras_ff.simulation.Sampling` for averages over equilibrium, or `keras_ff.simulation.Rollout` for averages over a
            short trajectory.

    Attributes:
        explicit: Whether the observable depends on the weights of the model; False by default.
        radius: Cutoff in Å of the neighbor list that `of_frame` receives; None if it needs none.
    """

    explicit = False
    radius = None

    def __init__(self, source: Sampling | Rollout):
        self.source, self.model = source, source.model
        self.free, self._prepared = None, None
        self._value, self._gradient = None, (None, None)
        self._of_one = backend.jit(self.of_frame)
        self.update()

    def of_frame(self, frame: dict):
        """Compute the observable of one frame.

        Args:
            frame: Dict of `positions` `(atoms, 3)` and `cell` `(3, 3)` in Å; from a rollout also `velocities` `(atoms, 3)` and the
                potential `energy` in eV; with a `radius` also `neighbors` `(atoms, neighbors)` and their `shifts` `(..., 3)`.

        Returns:
            Tensor of any shape.
        """
        raise NotImplementedError

    def of_structures(self, batch: dict):
        """Compute the observable of each structure of a batch, with the weights as they are now.

        Args:
            batch: Dict of arrays that the model takes, without padding.

        Returns:
            Tensor `(structures, ...)`.
        """
        raise NotImplementedError

    def of_one(self, frame: dict):
        """Compute the observable of one frame with the compiled form of `of_frame`."""
        return self._of_one(frame)

    def update(self) -> None:
        """Let the simulation follow the weights as they are now: reweight its frames, or simulate again."""
        self.source.update()
        if self._prepared is None or self._prepared[0] != self.source.version:
            self._prepared = self.source.version, self.source.prepare(self)
        self.batch = {"source": self.source.batch, "own": self._prepared[1]}

    def compute(self, batch: dict):
        """Compute the mean of the observable, in the shape of the observable."""
        return self.source.average(batch["source"], batch["own"], self)


class MeanEnergy(Average):
    """Mean potential energy per atom of a simulation in eV, a scalar.

    Args:
        source: `keras_ff.simulation.Sampling` or `keras_ff.simulation.Rollout`.

    Example:
        Frames of another simulation, at 300 K:

        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> frames = [bulk("Si", a=a) for a in (5.42, 5.43, 5.44)]
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> sampling = kff.simulation.Sampling.of_frames(model, frames, temperature=300.0)
        >>> round(float(kff.properties.MeanEnergy(sampling)()), 2)
        -4.34
    """

    explicit = True

    def of_frame(self, frame: dict):
        """Compute the potential energy per atom of one frame of a rollout, in eV."""
        return frame["energy"] / frame["positions"].shape[0]

    def of_structures(self, batch: dict):
        """Compute the potential energy per atom of each structure of a batch, `(structures,)` in eV."""
        return self.model.total_energy(batch) / batch["positions"].shape[1]


class Pressure(Average):
    """Mean pressure over equilibrium in GPa, a scalar: the ideal-gas term and the virial; positive under compression.

        liquid = keras_ff.simulation.Sampling(model, atoms, Langevin(2000), frames=200)
        pressure = Pressure(liquid)()

    Args:
        sampling: `keras_ff.simulation.Sampling`.

    Raises:
        ValueError: If something else is given, such as a `Rollout`, or the atoms have constraints, whose forces are unknown.

    Reference:
        Allen and Tildesley, Computer Simulation of Liquids (2017), section 2.4.
    """

    explicit = True

    def __init__(self, sampling: Sampling):
        if not isinstance(sampling, Sampling):
            raise ValueError(f"The pressure is an average over equilibrium: give a Sampling. Received {type(sampling).__name__}.")
        if names := sorted({type(one).__name__ for one in sampling.atoms[0].constraints}):
            raise ValueError(f"The pressure of atoms with constraints ({', '.join(names)}) is not defined. Sample without them.")
        super().__init__(sampling)

    def of_structures(self, batch: dict):
        """Compute the pressure of each structure of a batch, `(structures,)` in GPa."""
        volume = ops.abs(determinant(batch["cell"]))
        virial = ops.trace(self.model.atomic_at_once(batch)["virial"], axis1=1, axis2=2)
        ideal = 3.0 * batch["positions"].shape[1] * units.kB * self.source.temperature
        return (ideal - virial) / (3.0 * volume * units.GPa)


class Density(Average):
    """Mean mass density over equilibrium in g/cm³, a scalar.

    Args:
        sampling: `keras_ff.simulation.Sampling` at constant pressure, with the ensemble `NPT`; at constant volume the density is
            that of the start.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> frames = [bulk("Si", a=a) for a in (5.43, 5.44)]
        >>> sampling = kff.simulation.Sampling.of_frames(model, frames, temperature=300.0)
        >>> round(float(kff.properties.Density(sampling)()), 2)
        2.32
    """

    def __init__(self, sampling: Sampling):
        # amu/Å³ in g/cm³.
        self.mass = float(sampling.atoms[0].get_masses().sum() * 1e24 / units.mol)
        super().__init__(sampling)

    def of_frame(self, frame: dict):
        """Compute the density of one frame, in g/cm³."""
        return self.mass / ops.abs(determinant(frame["cell"]))


class RadialDistribution(Average):
    """Radial distribution function g(r) of a simulation, `(radii,)`: how often a distance occurs, relative to independent atoms.

    It is differentiable with respect to the weights of the model. `RadialDistribution.of_trajectory` is that of stored frames.

        liquid = keras_ff.simulation.Sampling(model, atoms, Langevin(2000), frames=200)
        distribution = RadialDistribution(liquid, np.linspace(1.5, 6.0, 100))

    Args:
        source: `keras_ff.simulation.Sampling` or `keras_ff.simulation.Rollout`.
        radii: Distances in Å at which g(r) is computed, `(radii,)`.
        width: Standard deviation in Å of the Gaussian by which each distance is smeared.
        pair: Two elements, such as `("Si", "O")`, for their partial distribution; by default all atoms.

    Raises:
        ValueError: If a radius is not positive, an element of the pair does not occur, or the structure is not periodic in three
            directions.

    Reference:
        Allen and Tildesley, Computer Simulation of Liquids (2017), section 2.6.
    """

    def __init__(self, source: Sampling | Rollout, radii: Sequence[float], width: float = 0.1, pair: tuple[str, str] | None = None):
        self.radii, self.width = checked_radii(radii), float(width)
        self.radius = reach(self.radii, self.width)
        atoms = source.atoms if isinstance(source, Rollout) else source.atoms[0]
        self.masks = pair_masks(atoms, pair)
        super().__init__(source)

    @property
    def abscissa(self) -> tuple[str, np.ndarray]:
        """Label of the horizontal axis of a figure, and the distances on it."""
        return "r (Å)", self.radii

    def of_frame(self, frame: dict):
        """Compute g(r) of one frame, `(radii,)`."""
        return pair_distribution(frame, self.radii, self.width, *self.masks)

    @staticmethod
    def of_trajectory(
        frames: Iterable[Atoms], radii: Sequence[float], width: float = 0.1, pair: tuple[str, str] | None = None
    ) -> np.ndarray:
        """Compute g(r) of frames that are stored, without a model, as their mean: NumPy `(radii,)`.

        Args:
            frames: List of `ase.Atoms`, or a `keras_ff.simulation.Trajectory`.
            radii: Distances in Å at which g(r) is computed, `(radii,)`.
            width: Standard deviation in Å of the Gaussian by which each distance is smeared.
            pair: Two elements, such as `("Si", "O")`, for their partial distribution; by default all atoms.

        Raises:
            ValueError: As `RadialDistribution`, or if there are no frames.

        Example:
            In crystalline silicon the first neighbors are at 2.35 Å and the second at 3.84 Å; none are in between.

            >>> import keras_ff as kff
            >>> from ase.build import bulk
            >>> distribution = kff.properties.RadialDistribution.of_trajectory([bulk("Si", a=5.431)], [2.35, 3.1, 3.84])
            >>> [round(float(value), 1) for value in distribution]
            [4.6, 0.0, 5.2]
        """
        radii = checked_radii(radii)
        total, count, of_one, last = 0.0, 0, None, None
        for atoms in frames:
            if last is None or not np.array_equal(atoms.numbers, last):
                last, masks = atoms.numbers, pair_masks(atoms, pair)
                batcher = Batcher(sorted(set(atoms.symbols)), reach(radii, width), dtype="float64")
                of_one = backend.jit(lambda frame, masks=masks: pair_distribution(frame, radii, width, *masks))
            frame = batcher.exact([batcher.record(atoms)])
            total = total + ops.convert_to_numpy(of_one({name: value[0] for name, value in frame.items() if name != "species"}))
            count += 1
        if not count:
            raise ValueError("There are no frames: the radial distribution is a mean over one or more.")
        return total / count
