"""Data set of structures in padded batches, for `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import copy
import math
import os
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from tqdm import tqdm

from keras_ff.arguments import whole
from keras_ff.data.ahead import Ahead
from keras_ff.data.batches import Batcher, taking_batches
from keras_ff.data.bootstrap import bootstrap_counts
from keras_ff.data.buckets import choose_buckets, given_buckets
from keras_ff.data.cache import CachedStructures
from keras_ff.data.filters import as_sequence, selected
from keras_ff.data.geometry_checks import upper_bound
from keras_ff.data.label_search import KINDS
from keras_ff.data.placement import placements
from keras_ff.data.records import labelled_record
from keras_ff.data.summary import summary
from keras_ff.data.waves import check_crystal
from keras_ff.data.weights import all_weights, counts_at_all, has_effect, normalized, shortened, weights_found, without_weightless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keras_ff.data.roles import TakesBatches

# Targets that are another form of a label.
LABELS = {"energy_per_atom": "energy"}


class Dataset(keras.utils.PyDataset):
    """Data set of structures, in batches of a few padded shapes that Keras trains on.

    A batch is `(inputs, labels)` of NumPy arrays with S structures, A atoms and K neighbors:

        | inputs    |                       | labels          |           |
        |-----------|-----------------------|-----------------|-----------|
        | positions | (S, A, 3), Å          | energy          | (S, 1)    |
        | species   | (S, A) int32          | energy_per_atom | (S, 1)    |
        | cell      | (S, 3, 3), Å          | forces          | (S, A, 3) |
        | neighbors | (S, A, K) int32       | stress          | (S, 6)    |
        | shifts    | (S, A, K, 3)          |                 |           |
        | waves     | (S, N1, N2, N3) int32 |                 |           |
        | counts    | (S, members)          |                 |           |

    The vector from atom a to its neighbor k is `positions[neighbors[a, k]] + shifts[a, k] @ cell - positions[a]`: shifts are whole
    numbers of lattice vectors. Species are indices into `model.species`; -1 marks padding atoms and neighbors, and the directions
    of a cell that do not repeat are rows of zeros. Waves (see `keras_ff.data.waves.lattice_waves`) exist only for a model with a
    `wave_cutoff`; all batches have room for those of the largest cell. Counts (see `keras_ff.data.bootstrap`) exist only for a
    model with a `bootstrap`. Labels are in eV, eV/Å and eV/Å³ (xx, yy, zz, yz, xz, xy, positive under tension). NaN stands for a
    missing label, for padding, and for the stress of a structure that is not periodic in all directions.

    Weights of structures and labels (`label_weights`) make a third dict in the batch: sample weights (S, 1) for each label, which
    the losses take; metrics do not. They are such that a structure with the weight 2 counts as much as two copies of it. A label
    with the weight 0 is missing, and a structure with the weight 0 is left out of the data set.

    The order of batches and the structures of each are a function of `seed` and `epoch` alone. Setting `epoch` gives the order of
    that epoch; Keras raises it by one after each epoch.

    Args:
        structures: List of `ase.Atoms`, as from `read`, or the path of a file made by `write_cache`, from which structures are read
            batch by batch.
        model: `ForceField`, or another object with `species` and `cutoff`: a potential, or a `keras_ff.data.Batcher`. An `Ensemble`
            with a `bootstrap` gets batches in which each member has its own sample of the structures.
        batch_size: Number of structures in a batch.
        shuffle: Whether the order changes from epoch to epoch.
        seed: Seed of the shuffling.
        max_shapes: Highest number of distinct padded shapes. Each is compiled once.
        shapes: Shapes to use instead of choosing them, as from the `shapes` of another data set, so that nothing is compiled anew.
        dtype: Dtype of the floating-point arrays; by default that of the model.
        max_memory: Bytes that neighbor lists may take. Beyond that they are computed (or read) anew for each batch.
        progress: Whether a progress bar is shown if the neighbor search takes longer than two seconds.

    Attributes:
        n_atoms: Number of atoms of each structure, (structures,).
        n_neighbors: Highest number of neighbors of an atom of each structure, (structures,).
        n_pairs: Number of pairs of each structure, (structures,).
        energies: Energies in eV, (structures,), NaN where missing.
        compositions: Number of atoms of each species in each structure, (structures, species).
        labels_found: Dict with the number of structures that have the label "energy", "forces" and "stress".
        stresses_set_aside: Number of stresses that are not used, as their structures are not periodic in three directions.
        weights: Weights of the structures and of their energies, forces and stresses, (structures, 4), as they were given.
        left_out: Indices of the structures with the weight 0, which are not in `structures`.

    Raises:
        TypeError: If the model has no species and no cutoff.
        ValueError: If there is no structure, a weight is negative or not finite, an element is unknown to the model, a structure is
            broken, a structure fits in none of `shapes`, or the model sums over waves and a structure is not periodic in all
            directions.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> data = kff.data.Dataset([bulk("Si"), bulk("Si", cubic=True)], model, batch_size=1, shuffle=False)
        >>> inputs, labels = data[1]
        >>> inputs["positions"].shape, labels["forces"].shape
        ((1, 8, 3), (1, 8, 3))
    """

    def __init__(
        self,
        structures: Iterable[Atoms] | CachedStructures | str | os.PathLike,
        model: TakesBatches,
        batch_size: int = 8,
        shuffle: bool = True,
        seed: int = 0,
        max_shapes: int = 4,
        shapes: Sequence[Sequence[int]] | None = None,
        dtype: Any = None,
        max_memory: float = 2 * 2**30,
        progress: bool = True,
    ):
        super().__init__()
        if dtype and keras.backend.standardize_dtype(dtype) not in ("float32", "float64"):
            raise ValueError(f"Batches are float32 or float64, as positions need their digits. Received dtype={dtype!r}.")
        model = taking_batches(model)
        self.batcher = Batcher.of(model, dtype=dtype)
        self.species, self.cutoff, self.dtype = self.batcher.species, self.batcher.cutoff, self.batcher.dtype
        self.bootstrap, self.n_samples = model.bootstrap, model.members
        self.batch_size = whole("batch_size", batch_size, 1)
        self.shuffle = bool(shuffle)
        self.seed = int(seed)
        self.max_memory = max_memory
        self.structures = as_sequence(structures, self.cutoff)
        self._leave_out()
        if not len(self.structures):
            raise ValueError("The data set is empty: there is no structure to make batches of.")
        self._rows, self._bytes = {}, 0
        self._epoch, self._order, self._within_epoch = 0, None, False
        self._part, self._ahead = slice(None), Ahead()
        self._survey(progress)
        if self.batcher.wave_cutoff > 0:
            self._survey_of_waves()
        if shapes is None:
            self.buckets = choose_buckets(self.n_atoms, self.n_neighbors, self.batch_size, whole("max_shapes", max_shapes, 1))
        else:
            self.buckets = given_buckets(self.n_atoms, self.n_neighbors, self.batch_size, shapes)

    def _leave_out(self):
        """Leave out the structures with the weight 0."""
        self.weights = all_weights(self.structures)
        counts, self._weighted = counts_at_all(self.weights), has_effect(self.weights)
        self._numbers, self.left_out = np.flatnonzero(counts), np.flatnonzero(~counts).tolist()
        if self.left_out:
            warnings.warn(
                f"{len(self.left_out)} of {len(counts)} structures have the weight 0 and are left out of the data set: "
                f"{shortened(self.left_out)}. What is computed for a data set is that of its `structures`, without them.",
                stacklevel=3,
            )
            self.structures, self.weights = selected(self.structures, self._numbers), self.weights[counts]

    def _survey(self, progress):
        """Sizes, compositions and labels of all structures; keeps the neighbor lists that fit in memory."""
        survey = self.structures.survey() if isinstance(self.structures, CachedStructures) else self._survey_of_atoms(progress)
        self.n_atoms, self.n_neighbors, self.n_pairs = survey["n_atoms"], survey["n_neighbors"], survey["n_pairs"]
        has = {kind: survey[kind] & (weights > 0) for kind, weights in zip(KINDS, self.weights[:, 1:].T, strict=True)}
        self.energies = np.where(has["energy"], survey["energies"], np.nan)
        self.labels_found = {kind: int(np.sum(present)) for kind, present in has.items()}
        self._has = np.stack([has[kind] for kind in KINDS], axis=1)
        self._shares = normalized(self.weights, self._has, self.n_atoms)
        self.stresses_set_aside = int(np.sum(survey["stress_set_aside"]))
        index_of = {atomic_numbers[symbol]: index for index, symbol in enumerate(self.species)}
        self.compositions = np.zeros((len(self.structures), len(self.species)), dtype=np.int64)
        for number, counts in zip(survey["elements"].tolist(), survey["compositions"].T, strict=True):
            if number in index_of:
                self.compositions[:, index_of[number]] = counts
            elif counts.any():
                self._row(int(counts.argmax()))

    def _survey_of_atoms(self, progress):
        names, rows = ("n_neighbors", "n_pairs", "stress_set_aside", "energy", "stress", "species"), []
        for index, placement in enumerate(_progress(placements(self.structures), len(self.structures), progress)):
            row = self._row(index, placement)
            rows.append((math.isfinite(upper_bound(row["forces"])), *[row[name] for name in names]))
        forces, *sizes, energies, stress, species = zip(*rows, strict=True)
        n_atoms, count = np.array([len(one) for one in species]), len(self.species)
        kinds = np.repeat(np.arange(len(rows)) * count, n_atoms) + np.concatenate(species)
        return {
            **{name: np.array(size) for name, size in zip(names, sizes, strict=False)},
            "n_atoms": n_atoms,
            "energies": np.array(energies),
            "energy": np.isfinite(energies),
            "forces": np.array(forces),
            "stress": np.isfinite(stress).all(axis=1),
            "elements": np.array([atomic_numbers[symbol] for symbol in self.species]),
            "compositions": np.bincount(kinds, minlength=len(rows) * count).reshape(-1, count),
        }

    def _survey_of_waves(self):
        """Make room in all batches for the waves of every structure."""
        if isinstance(self.structures, CachedStructures):
            cells = self.structures.cells()
        else:
            cells = np.array([atoms.cell.array * atoms.pbc[:, None] for atoms in self.structures])
        for index in np.flatnonzero(~cells.any(axis=2).all(axis=1)):
            check_crystal(cells[index], f"Structure {index} ({self.structures[int(index)].get_chemical_formula()})")
        self.batcher.room_for_waves(cells)

    @property
    def epoch(self) -> int:
        """Number of the epoch whose batches are returned, from 0; may be set."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = int(epoch)

    def on_epoch_begin(self) -> None:
        """Note that an epoch has begun; Keras calls it."""
        self._within_epoch = True

    def on_epoch_end(self) -> None:
        """Raise `epoch` by one; Keras calls it."""
        # Keras calls this once more before the first epoch, without a begin.
        if self._within_epoch:
            self._epoch += 1
        self._within_epoch = False

    def __len__(self):
        return len(self.buckets)

    def __getitem__(self, index):
        return self._ahead.get(self._batches(), range(len(self))[index], self._of_order)

    def _of_order(self, batches, index):
        bucket, indices = batches[index]
        return self._batch(indices[self._part], self.buckets.shapes[bucket])

    def indices(self, index: int) -> np.ndarray:
        """Return the indices in `structures` of the structures of a batch.

        Args:
            index: Index of the batch in the present epoch.

        Returns:
            Integers, (S,), with -1 for padding.
        """
        return self._batches()[index][1][self._part].copy()

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return the shape (S, A, K) of a batch: structures, atoms and neighbors.

        Args:
            index: Index of the batch in the present epoch.
        """
        return (self.batch_size, *self.buckets.shapes[self._batches()[index][0]])

    def in_shapes(self, most: int) -> Dataset:
        """Return the same data set with at most so many padded shapes; nothing is searched anew.

        Args:
            most: Highest number of distinct padded shapes.
        """
        data = copy.copy(self)
        data.buckets = choose_buckets(self.n_atoms, self.n_neighbors, self.batch_size, whole("most", most, 1))
        data._order, data._ahead = None, Ahead()
        return data

    def part(self, index: int, count: int) -> Dataset:
        """Return the share of each batch that one of several processes computes: every `count`-th structure, from `index`.

        Args:
            index: Number of the process, from 0.
            count: Number of processes.

        Returns:
            `Dataset` with the same batches, of fewer structures each.
        """
        data = copy.copy(self)
        data._part, data._ahead = slice(index, None, count), Ahead()
        return data

    def _batches(self):
        # One assignment, as a thread of TensorFlow may still prefetch batches of the last epoch.
        order, epoch = self._order, self._epoch if self.shuffle else 0
        if order is None or order[0] != epoch:
            order = self._order = (epoch, self.buckets.epoch(self.seed, epoch, self.shuffle))
        return order[1]

    def _batch(self, indices, shape):
        rows = [self._row(int(index)) if index >= 0 else None for index in indices]
        inputs = self.batcher.batch(rows, shape)
        S, A, kind = len(rows), shape[0], self.dtype
        if self.bootstrap is not None:
            inputs["counts"] = np.zeros((S, self.n_samples), kind)
        targets = {
            "energy": np.full((S, 1), np.nan, kind),
            "energy_per_atom": np.full((S, 1), np.nan, kind),
            "forces": np.full((S, A, 3), np.nan, kind),
            "stress": np.full((S, 6), np.nan, kind),
        }
        for number, (index, row) in enumerate(zip(indices, rows, strict=True)):
            if row is None:
                continue
            if self.bootstrap is not None:
                inputs["counts"][number] = bootstrap_counts(self.bootstrap, int(index), self.n_samples)
            n = len(row["species"])
            targets["energy"][number] = row["energy"]
            targets["energy_per_atom"][number] = row["energy"] / n
            targets["forces"][number, :n] = row["forces"]
            targets["stress"][number] = row["stress"]
        if not self._weighted:
            return inputs, targets
        shares = dict(zip(KINDS, self._shares[indices].astype(kind).T[..., None], strict=True))
        return inputs, targets, {name: shares[LABELS.get(name, name)] for name in targets}

    def _row(self, index, placement=None):
        """Record of one structure with its labels and its neighbors as rows, in the dtype of the batches."""
        row = self._rows.get(index)
        if row is None:
            row = self._make_row(index, placement)
            size = sum([value.nbytes for value in (*row.values(), *row["rows"]) if isinstance(value, np.ndarray)])
            if self._bytes + size <= self.max_memory:
                self._rows[index] = row
                self._bytes += size
        return row

    @property
    def weights_found(self) -> dict[str, float]:
        """Number of structures with other weights than 1 (of labels that exist), and the smallest and largest of the weights."""
        return weights_found(self.weights, self._has)

    def _make_row(self, index, placement=None):
        if isinstance(self.structures, CachedStructures):
            record = self.structures.record(index)
            try:
                self.batcher.add_species(record)
            except ValueError as error:
                raise ValueError(f"Structure {index} of {self.structures.path}, {error}") from error
        else:
            record = labelled_record(self.structures[index], int(self._numbers[index]), self.batcher, placement)
        record = without_weightless(record, self.weights[index])
        row = {name: record[name] for name in ("species", "pbc", "energy", "stress", "n_neighbors", "stress_set_aside")}
        row |= {name: record[name].astype(self.dtype) for name in ("positions", "forces")}
        # The waves of a crystal take the digits of its cell.
        row["cell"] = record["cell"]
        return {**row, "n_pairs": len(record["i"]), "rows": self.batcher.rows(record, record["n_neighbors"])}

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Distinct shapes of the batches, a list of tuples (S, A, K)."""
        return [(self.batch_size, *shape) for shape, count in zip(self.buckets.shapes, self.buckets.counts, strict=True) if count]

    @property
    def padding_waste(self) -> float:
        """Fraction of the pairs in the batches of an epoch that is padding."""
        padded = sum(
            count * self.batch_size * a * k for count, (a, k) in zip(self.buckets.counts, self.buckets.shapes, strict=True)
        )
        return 1.0 - self.n_pairs.sum() / padded if padded else 0.0

    def require_labels(self, *kinds: str) -> None:
        """Raise an error unless each of some labels exists in at least one structure.

        Args:
            kinds: Names of labels, "energy", "energy_per_atom", "forces" or "stress".

        Raises:
            ValueError: If no structure has one of the labels, or a name is none of these.

        Warns:
            UserWarning: If all stresses were set aside, as no structure is periodic in three directions.
        """
        for kind in kinds:
            kind = LABELS.get(kind, kind)
            if kind not in KINDS:
                raise ValueError(f"Labels are {', '.join(KINDS)}. Received {kind!r}.")
            if not self.labels_found[kind] and kind == "stress" and self.stresses_set_aside:
                warnings.warn(
                    f"The stresses of {self.stresses_set_aside} structures are set aside, as these are not periodic in three "
                    "directions, and no other structure has one: nothing is learned from stress, which needs a volume. Leave it "
                    "out of the loss, or set pbc=True where the structures do repeat.",
                    stacklevel=2,
                )
                continue
            if not self.labels_found[kind]:
                raise ValueError(
                    f"None of the {len(self.structures)} structures has a label {kind!r}, so nothing can be learned from it. "
                    f"Labels found: {self.labels_found}. Name the key of the file with keras_ff.data.read(..., {kind}_key=...), or "
                    f"leave {kind} out of the loss."
                )

    def report(self) -> str:
        """Return a table of the structures, labels, weights, neighbors, batches and padding of the data set, as text."""
        return summary(self)


def _progress(iterable, total, show):
    return tqdm(iterable, total=total, desc="neighbor lists", unit=" structures", delay=2.0, disable=not show, leave=False)
