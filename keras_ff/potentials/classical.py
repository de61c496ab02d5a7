"""What classical potentials share: parameters in tables by species, each trainable or frozen."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_ff.potentials.base import Potential


@dataclasses.dataclass(frozen=True)
class Table:
    """One parameter of a functional form, for every pair or triplet of species.

    Attributes:
        rank: 1 for atoms (i), 2 for pairs (i, j), 3 for triplets (i, j, k) with the center first.
        positive: The parameter cannot become negative. It changes by a factor `exp(weight)`, others by `+ weight`;
            an entry that starts at 0 stays 0.
        symmetry: "pairs" if (i, j), or (i, j, j), is the same as (j, i); "neighbors" if (i, j, k) is the same as (i, k, j).
        fixed: The parameter chooses a form, as an integer power does: it has no weight and keeps its value.
    """

    rank: int = 2
    positive: bool = True
    symmetry: tuple = ()
    fixed: bool = False

    def symmetric(self, values):
        """The values made symmetric by averaging; NumPy arrays or tensors."""
        swap = np.swapaxes if isinstance(values, np.ndarray) else ops.swapaxes
        if self.rank == 2 and "pairs" in self.symmetry:
            return 0.5 * (values + swap(values, 0, 1))
        if self.rank == 3 and "neighbors" in self.symmetry:
            values = 0.5 * (values + swap(values, 1, 2))
        if self.rank == 3 and "pairs" in self.symmetry and values.shape[0] > 1:
            # Sums with the identity pick entries (i, j, j) as every backend can; einsum over a repeated index is not one of them.
            same = np.eye(values.shape[0])
            if not isinstance(values, np.ndarray):
                same = ops.convert_to_tensor(same, dtype=values.dtype)
            diagonal = (values * same).sum(-1) if isinstance(values, np.ndarray) else ops.sum(values * same, -1)
            values = values + 0.5 * (swap(diagonal, 0, 1) - diagonal)[:, :, None] * same
        return values

    def asymmetry(self, values):
        """Place of an entry that is not symmetric, to 12 digits, or None."""
        error = np.abs(values - self.symmetric(values)) - 1e-12 * np.abs(values)
        return np.unravel_index(error.argmax(), values.shape) if (error > 0).any() else None


class ClassicalPotential(Potential):
    """A potential whose parameters are tables by species.

    A subclass names its parameters in `TABLES` and uses `value`, `of_pairs` and the
    like in its `call`. The weights are changes relative to the parameters at the
    start and begin at 0, so that they are all of similar size for an optimizer, and
    float32 does not round what a file holds.

    Args:
        species: Chemical symbols.
        parameters: Dict from each name in `TABLES` to a number, or an array `(species,) * rank`.
        cutoff: Radius in Å within which neighbors are listed; by default what the parameters at the start need.
        train: True, False, or the names of the parameters to train; the others keep their values.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, negative where it may not be, or not symmetric where it must
            be.
    """

    TABLES = {}

    def __init__(self, species, parameters, cutoff=None, train=True, **kwargs):
        species = [species] if isinstance(species, str) else list(species)
        what = type(self).__name__
        if set(parameters) != set(self.TABLES):
            missing, unknown = sorted(set(self.TABLES) - set(parameters)), sorted(set(parameters) - set(self.TABLES))
            raise ValueError(f"{what} has the parameters {list(self.TABLES)}. Missing: {missing}. Unknown: {unknown}.")
        names = [name for name, table in self.TABLES.items() if not table.fixed]
        if isinstance(train, bool):
            train = names if train else []
        if isinstance(train, str) or set(train) - set(names):
            raise ValueError(f"train is True, False, or a list of names of {names}. Received train={train!r}.")
        start = {name: checked(name, parameters[name], table, species) for name, table in self.TABLES.items()}
        super().__init__(species, self.reach(start) if cutoff is None else cutoff, **kwargs)
        self.start = start
        self.trained = [name for name in names if name in train]
        self._changes = {name: self.add_parameter(name, np.zeros(start[name].shape), name in self.trained) for name in names}

    @staticmethod
    def reach(parameters):
        """The largest distance in Å at which atoms interact: the cutoff where none is given."""
        raise ValueError("This potential needs a cutoff in Å.")

    def value(self, name, dtype):
        """The parameter as a tensor `(species,) * rank`; derivatives go to its weight."""
        table = self.TABLES[name]
        start = ops.convert_to_tensor(self.start[name], dtype=dtype)
        if table.fixed:
            return start
        change = table.symmetric(ops.cast(self._changes[name], dtype))
        return start * ops.exp(change) if table.positive else start + change

    def of_pairs(self, neighborhood, *values):
        """Entries (i, j) of tables `(species, species)` for all neighbors, `(atoms, neighbors)`; scalars for one species."""
        count = len(self.species)
        if count == 1:
            return tuple(ops.reshape(value, ()) for value in values)
        index = neighborhood.center_species[:, None] * count + neighborhood.neighbor_species
        return tuple(ops.take(ops.reshape(value, (-1,)), index) for value in values)

    def parameters(self):
        """The parameters as they are now: dict of NumPy float64 arrays `(species,) * rank`."""
        now = {}
        for name, table in self.TABLES.items():
            if table.fixed:
                now[name] = self.start[name].copy()
                continue
            change = table.symmetric(ops.convert_to_numpy(self._changes[name]).astype("float64"))
            # What has not changed keeps all its digits.
            changed = self.start[name] * np.exp(change) if table.positive else self.start[name] + change
            now[name] = np.where(change == 0.0, self.start[name], changed)
        return now

    def set_parameters(self, **values):
        """Assign parameters by name: numbers, or arrays `(species,) * rank`.

        Raises:
            ValueError: As the constructor, and if a positive parameter moves to or from 0.
        """
        for name, given in values.items():
            if name not in self.TABLES:
                raise ValueError(f"{type(self).__name__} has the parameters {list(self.TABLES)}. Received {name}.")
            new, start = checked(name, given, self.TABLES[name], self.species), self.start[name]
            if self.TABLES[name].fixed:
                if (new != start).any():
                    raise ValueError(f"{name} keeps its value, {start.tolist()}. Received {given}. Make another potential with it.")
                continue
            change = new - start
            if self.TABLES[name].positive:
                if ((new == 0) != (start == 0)).any():
                    raise ValueError(
                        f"{name} cannot be moved to or from 0: it changes by a factor. Start at {start}, received {given}."
                    )
                change = np.log(np.where(start > 0, new, 1.0) / np.where(start > 0, start, 1.0))
            self._changes[name].assign(change)

    def get_config(self):
        parameters = {name: start.tolist() for name, start in self.start.items()}
        return {**super().get_config(), "parameters": parameters, "train": list(self.trained)}


def checked(name, given, table, species):
    """A parameter as an array `(species,) * rank`, or a ValueError."""
    shape = (len(species),) * table.rank
    values = np.asarray(given, dtype="float64")
    if values.shape not in ((), shape):
        raise ValueError(f"{name} must be a number or have the shape {shape} (species={species}). Received shape {values.shape}.")
    values = np.array(np.broadcast_to(values, shape))
    if not np.isfinite(values).all() or (table.positive and (values < 0).any()):
        raise ValueError(f"{name} must be finite{' and not negative' if table.positive else ''}. Received {name}={given}.")
    if place := table.asymmetry(values):
        symbols = ", ".join(species[index] for index in place)
        raise ValueError(
            f"{name} must be symmetric in {' and in '.join(table.symmetry)}. Received {values[place]} for ({symbols}), "
            f"and another value with the elements in the other order."
        )
    return values


def diagonal(table):
    """Entries (i, j, j) of a table of triplets, `(species, species)`."""
    count = table.shape[0]
    return ops.sum(table * ops.convert_to_tensor(np.eye(count), dtype=table.dtype), axis=-1)


def at_most(lengths, cutoff):
    """Lengths no larger than the cutoff. At the cutoff, to rounding, the derivative is 1, so that a fit can start there."""
    rounding = 4 * np.finfo(keras.backend.standardize_dtype(lengths.dtype)).eps
    return ops.where(lengths > cutoff * (1 + float(rounding)), cutoff, lengths)
