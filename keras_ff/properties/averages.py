"""Averages over simulations as differentiable functions of the weights of a model."""

import numpy as np
from ase import units
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import neighbors_of
from keras_ff.geometry import determinant
from keras_ff.properties.base import Property
from keras_ff.properties.pairs import checked_radii, chosen, pair_distribution, reach


class Average(Property):
    """The mean of an observable over a simulation.

    A subclass says what it is of one frame, `of_frame`, or, if it depends on the weights of the model and not on positions alone,
    sets `explicit` and says what it is of a batch of structures, `of_structures`.

    Args:
        source: `keras_ff.simulation.Sampling`, for equilibrium, or `keras_ff.simulation.Rollout`, for a short trajectory.
    """

    explicit = False

    # Within which pairs are listed for `of_frame`, in Å; None if it takes no pairs.
    radius = None

    def __init__(self, source):
        self.source, self.model = source, source.model
        self.free, self._prepared = None, None
        self._value, self._gradient = None, (None, None)
        self._of_one = backend.jit(self.of_frame)
        self.update()

    def of_frame(self, frame):
        """Of one frame: a dict of `positions`, `cell`, with a rollout `velocities` and `energy`, and `neighbors` and `shifts`."""
        raise NotImplementedError

    def of_structures(self, batch):
        """Of each structure of a batch, `(structures, ...)`."""
        raise NotImplementedError

    def of_one(self, frame):
        """`of_frame`, compiled."""
        return self._of_one(frame)

    def update(self):
        self.source.update()
        if self._prepared is None or self._prepared[0] != self.source.version:
            self._prepared = self.source.version, self.source.prepare(self)
        self.batch = {"source": self.source.batch, "own": self._prepared[1]}

    def compute(self, batch):
        return self.source.average(batch["source"], batch["own"], self)


class MeanEnergy(Average):
    """Mean potential energy per atom in eV, a scalar."""

    explicit = True

    def of_frame(self, frame):
        return frame["energy"] / frame["positions"].shape[0]

    def of_structures(self, batch):
        return self.model.total_energy(batch) / batch["positions"].shape[1]


class Pressure(Average):
    """Mean pressure in GPa, a scalar: that of an ideal gas at the temperature, and the virial.

    Args:
        sampling: `keras_ff.simulation.Sampling`.
    """

    explicit = True

    def __init__(self, sampling):
        if not hasattr(sampling, "temperature"):
            raise ValueError(f"The pressure is an average over equilibrium: give a Sampling. Received {type(sampling).__name__}.")
        super().__init__(sampling)

    def of_structures(self, batch):
        volume = ops.abs(determinant(batch["cell"]))
        virial = ops.trace(self.model.atomic_at_once(batch)["virial"], axis1=1, axis2=2)
        ideal = 3.0 * batch["positions"].shape[1] * units.kB * self.source.temperature
        return (ideal - virial) / (3.0 * volume * units.GPa)


class Density(Average):
    """Mean mass density in g/cm³, a scalar; of `keras_ff.simulation.Sampling` at constant pressure (`NPT`)."""

    def of_frame(self, frame):
        return self.mass / ops.abs(determinant(frame["cell"]))

    def __init__(self, sampling):
        # amu/Å³ in g/cm³.
        self.mass = float(sampling.atoms[0].get_masses().sum() * 1e24 / units.mol)
        super().__init__(sampling)


class RadialDistribution(Average):
    """Radial distribution function g(r), `(radii,)`: how often a distance occurs, relative to independent atoms.

    Args:
        source: `keras_ff.simulation.Sampling` or `keras_ff.simulation.Rollout`.
        radii: In Å, `(radii,)`.
        width: Standard deviation in Å of the Gaussian that smears each distance.
        pair: Two elements, such as `("Si", "O")`, for their partial distribution; all atoms by default.

    Raises:
        ValueError: If a radius is not positive, or an element of the pair is not there.

    Reference:
        Allen and Tildesley, Computer Simulation of Liquids (2017), section 2.6.
    """

    def __init__(self, source, radii, width=0.1, pair=None):
        self.radii, self.width = checked_radii(radii), float(width)
        self.radius = reach(self.radii, self.width)
        atoms = source.atoms if hasattr(source.atoms, "symbols") else source.atoms[0]
        self.chosen = chosen(atoms, pair)
        super().__init__(source)

    def of_frame(self, frame):
        return pair_distribution(frame, self.radii, self.width, *self.chosen)


def radial_distribution(frames, radii, width=0.1, pair=None):
    """Radial distribution function of stored frames, NumPy `(radii,)`; see `RadialDistribution`.

    Args:
        frames: List of `ase.Atoms`, or a `Trajectory`.
        radii: In Å, `(radii,)`.
        width: In Å.
        pair: Two elements, or None.
    """
    radii = checked_radii(radii)
    total, count, columns, of_one, last = 0.0, 0, 0, None, None
    for atoms in frames:
        if last is None or not np.array_equal(atoms.numbers, last):
            last, who = atoms.numbers, chosen(atoms, pair)
            of_one = backend.jit(lambda frame, who=who: pair_distribution(frame, radii, width, *who))
        lists = neighbors_of(atoms, reach(radii, width), "float64", columns)
        columns = lists["neighbors"].shape[2]
        frame = {"positions": atoms.positions, "cell": atoms.cell.array * atoms.pbc[:, None]}
        total = total + ops.convert_to_numpy(of_one({**frame, **{name: value[0] for name, value in lists.items()}}))
        count += 1
    return total / count
