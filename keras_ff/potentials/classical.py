"""Base of classical potentials: parameters in tables of species, pairs or triplets, each trainable or frozen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.potentials.base import Potential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


@dataclasses.dataclass(frozen=True)
class Table:
    """Description of a parameter of a classical potential, which has a value for each species, pair or triplet of species.

    Attributes:
        rank: 1 for atoms (i), 2 for pairs (i, j), 3 for triplets (i, j, k) with the center first.
        positive: Whether the parameter cannot become negative. It changes by a factor `exp(weight)`, others by `+ weight`;
            an entry that starts at 0 stays 0.
        symmetry: Tuple with "pairs" if (i, j), or (i, j, j), is the same as (j, i), and with "neighbors" if (i, j, k) is the same
            as (i, k, j).
        fixed: Whether the parameter chooses a form, as an integer power does: it has no weight and keeps its value.

    Example:
        >>> import numpy as np
        >>> from keras_ff.potentials.classical import Table
        >>> Table(symmetry=("pairs",)).symmetric(np.array([[1.0, 2.0], [4.0, 1.0]])).tolist()
        [[1.0, 3.0], [3.0, 1.0]]
    """

    rank: int = 2
    positive: bool = True
    symmetry: tuple = ()
    fixed: bool = False

    def symmetric(self, values):
        """Return values made symmetric by averaging.

        Args:
            values: NumPy array or tensor `(species,) * rank`.
        """
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

    def asymmetry(self, values: np.ndarray) -> tuple | None:
        """Return the indices of an entry that is not symmetric to 12 digits, or None.

        Args:
            values: NumPy array `(species,) * rank`.
        """
        error = np.abs(values - self.symmetric(values)) - 1e-12 * np.abs(values)
        return np.unravel_index(error.argmax(), values.shape) if (error > 0).any() else None


class ClassicalPotential(Potential):
    """Base of potentials whose parameters have a value for each species, pair or triplet of species.

    A subclass describes its parameters in `TABLES`, a dict from names to `Table`, and uses `value` and `of_pairs` in its `call`.
    The weights are changes relative to the parameters at the start and begin at 0, so that they are all of similar size for an
    optimizer, and float32 does not round the numbers of a file.

    Args:
        species: Chemical symbols.
        parameters: Dict from each name in `TABLES` to a number, or an array `(species,) * rank`.
        cutoff: Radius in Å within which neighbors are listed; by default what the parameters at the start need.
        train: True, False, or the names of the parameters to train; the others keep their values.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, negative where it may not be, or not symmetric where it must
            be.

    Example:
        >>> import keras_ff as kff
        >>> from keras import ops
        >>> from keras_ff.potentials.classical import ClassicalPotential, Table
        >>> class InversePower(ClassicalPotential):
        ...     TABLES = {"strength": Table(symmetry=("pairs",))}
        ...
        ...     def call(self, neighborhood: Neighborhood):
        ...         (strength,) = self.of_pairs(neighborhood, self.value("strength", neighborhood.dtype))
        ...         return 0.5 * ops.sum(strength * neighborhood.mask / neighborhood.distances**12, axis=-1)
        >>> InversePower(["Ar", "Kr"], {"strength": 2.0}, cutoff=8.0).parameters()
        {'strength': array([[2., 2.],
                            [2., 2.]])}
    """

    TABLES = {}

    def __init__(
        self,
        species: str | Sequence[str],
        parameters: dict,
        cutoff: float | None = None,
        train: bool | Sequence[str] = True,
        **kwargs,
    ):
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
    def reach(parameters: dict[str, np.ndarray]) -> float:
        """Return the largest distance in Å at which atoms interact: the cutoff where none is given.

        Args:
            parameters: Dict of arrays `(species,) * rank`.
        """
        raise ValueError("This potential needs a cutoff in Å.")

    def value(self, name: str, dtype):
        """Return a parameter as a tensor `(species,) * rank`, which can be differentiated with respect to its weight.

        Args:
            name: Name of the parameter.
            dtype: Data type of the tensor.
        """
        table = self.TABLES[name]
        start = ops.convert_to_tensor(self.start[name], dtype=dtype)
        if table.fixed:
            return start
        change = table.symmetric(ops.cast(self._changes[name], dtype))
        return start * ops.exp(change) if table.positive else start + change

    def of_pairs(self, neighborhood: Neighborhood, *values) -> tuple:
        """Return the entries of tables for the species of each atom and its neighbor.

        Args:
            neighborhood: The `Neighborhood`.
            values: Tensors `(species, species)`.

        Returns:
            Tuple of tensors `(atoms, neighbors)`, one for each of `values`; scalars if there is one species.
        """
        count = len(self.species)
        if count == 1:
            return tuple(ops.reshape(value, ()) for value in values)
        index = neighborhood.center_species[:, None] * count + neighborhood.neighbor_species
        return tuple(ops.take(ops.reshape(value, (-1,)), index) for value in values)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters as they are now: dict from names to NumPy float64 arrays `(species,) * rank`."""
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

    def set_parameters(self, **values) -> None:
        """Assign values to parameters.

        Args:
            values: Numbers or arrays `(species,) * rank`, by the names of the parameters.

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

    def get_config(self) -> dict:
        """Return the arguments of the constructor, with the parameters at the start, from which Keras makes it anew."""
        parameters = {name: start.tolist() for name, start in self.start.items()}
        return {**super().get_config(), "parameters": parameters, "train": list(self.trained)}


def checked(name: str, given, table: Table, species: Sequence[str]) -> np.ndarray:
    """Values of a parameter as a float64 array `(species,) * rank`, after a check.

    Args:
        name: Name of the parameter.
        given: Number or array.
        table: Description of the parameter.
        species: Chemical symbols.

    Raises:
        ValueError: If the shape does not fit, or a value is not finite, negative where it may not be, or not symmetric.
    """
    shape = (len(species),) * table.rank
    values = np.asarray(given, dtype="float64")
    if values.shape not in ((), shape):
        raise ValueError(f"{name} must be a number or have the shape {shape} (species={species}). Received shape {values.shape}.")
    values = np.array(np.broadcast_to(values, shape))
    if not np.isfinite(values).all() or (table.positive and (values < 0).any()):
        raise ValueError(f"{name} must be finite{' and not negative' if table.positive else ''}. Received {name}={given}.")
    if entry := table.asymmetry(values):
        symbols = ", ".join(species[index] for index in entry)
        raise ValueError(
            f"{name} must be symmetric in {' and in '.join(table.symmetry)}. Received {values[entry]} for ({symbols}), "
            f"and another value with the elements in the other order."
        )
    return values


def diagonal(table):
    """Entries (i, j, j) of a table of triplets.

    Args:
        table: Tensor `(species, species, species)`.

    Returns:
        Tensor `(species, species)`.
    """
    count = table.shape[0]
    return ops.sum(table * ops.convert_to_tensor(np.eye(count), dtype=table.dtype), axis=-1)


def at_most(lengths, cutoff):
    """Lengths no larger than the cutoff, with derivative 1 up to the cutoff and 0 beyond.

    A length that exceeds the cutoff by a rounding error counts as equal, so that a fit can start there.

    Args:
        lengths: Tensor of any shape, in Å.
        cutoff: Largest length in Å.
    """
    rounding = 4 * np.finfo(keras.backend.standardize_dtype(lengths.dtype)).eps
    return ops.where(lengths > cutoff * (1 + float(rounding)), cutoff, lengths)
