"""Cache of structures and their neighbor lists in an HDF5 file, for data sets larger than memory."""

from __future__ import annotations

import collections
import copy
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from ase import Atoms

from keras_ff.data.batches import Batcher
from keras_ff.data.cache_checks import TABLE, checked_record, checked_table, checksum_of_table
from keras_ff.data.label_search import Labels
from keras_ff.data.records import labelled_record
from keras_ff.data.roles import WeightedStructures
from keras_ff.data.weights import WEIGHTS, type_of, weights_of
from keras_ff.files import exclusive_file, replace_when_complete

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

VERSION = 2


class CachedStructures(WeightedStructures):
    """Sequence of the structures in a file made by `write_cache`, each of which is read when it is accessed.

    An item is an `ase.Atoms` with its labels, a slice is another `CachedStructures`.

    Args:
        path: Path of the file.
        indices: Indices in the file of the structures to use, all by default.

    Attributes:
        cutoff: Radius of the neighbor lists in Å.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated, damaged or was not made by `write_cache`; or later, when a damaged structure is read.

    Example:
        >>> import tempfile
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = kff.data.write_cache([bulk("Si"), bulk("Si", cubic=True)], f"{folder}/silicon.h5", cutoff=2.5)
        ...     structures = kff.data.CachedStructures(f"{folder}/silicon.h5")
        ...     len(structures), len(structures[1])
        (2, 8)
    """

    def __init__(self, path: str | os.PathLike, indices: Sequence[int] | None = None):
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {str(path)!r}. Make it with keras_ff.data.write_cache.")
        self._file, self._arrays = None, {}
        try:
            attributes = self._open().attrs
            version, self.cutoff = int(attributes["keras_ff_cache"]), float(attributes["cutoff"])
            self._table = checked_table(self._open(), self.path.stat().st_size) if version == VERSION else {}
        except Exception as error:  # HDF5 has many for damaged files.
            raise ValueError(
                f"{path} is truncated or was not made by keras_ff.data.write_cache, or is damaged ({error})."
            ) from error
        if version != VERSION:
            raise ValueError(
                f"{path} is a cache of version {version}, this program reads version {VERSION}. Write it anew with write_cache."
            )
        count = len(self._table["energy"])
        self._indices = np.arange(count) if indices is None else np.asarray(indices, dtype=np.int64)
        if len(self._indices) and not (0 <= self._indices.min() and self._indices.max() < count):
            raise ValueError(f"{path} holds {count} structures. Received indices up to {self._indices.max()}.")

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        record = self.record(index)
        atoms = Atoms(numbers=record["numbers"], positions=record["positions"], cell=record["cell"], pbc=record["pbc"])
        results = {kind: record[kind] for kind in ("energy", "forces", "stress") if np.isfinite(record[kind]).all()}
        atoms.calc = Labels(atoms, **results)
        number = self._indices[index]
        weights, kind = self._table["weights"][number].tolist(), self._table["types"][number].decode()
        atoms.info |= {names[0]: weight for names, weight in zip(WEIGHTS.values(), weights, strict=True) if weight != 1.0}
        atoms.info |= {"config_type": kind} if kind != "Default" else {}
        return atoms

    def subset(self, indices: Sequence[int]) -> CachedStructures:
        """Select some of the structures, without reading them.

        Args:
            indices: Indices in this sequence.

        Returns:
            `CachedStructures` of the same file.
        """
        part = copy.copy(self)
        part._indices = self._indices[np.asarray(indices, dtype=np.int64)]
        return part

    @property
    def weights(self) -> np.ndarray:
        """Weights of the structures and of their energies, forces and stresses, (structures, 4); see `label_weights`."""
        return self._table["weights"][self._indices]

    @property
    def types(self) -> list[str]:
        """Types of the structures, their `config_type`; "Default" where there is none."""
        return [name.decode() for name in self._table["types"][self._indices]]

    def with_weights(self, weights: np.ndarray) -> CachedStructures:
        """Return the same structures with other weights; the file stays as it is.

        Args:
            weights: Weights of the structures and of their energies, forces and stresses, (structures, 4).
        """
        changed, table = copy.copy(self), self._table["weights"].copy()
        table[self._indices] = weights
        changed._table = {**self._table, "weights": table}
        return changed

    def check_cutoff(self, cutoff: float) -> None:
        """Raise an error unless the neighbor lists were made for a cutoff.

        Args:
            cutoff: Cutoff of a model in Å.

        Raises:
            ValueError: If the file has lists for another cutoff.
        """
        if abs(cutoff - self.cutoff) > 1e-6:
            raise ValueError(
                f"{self.path} has neighbor lists for a cutoff of {self.cutoff:g} Å, the model has {cutoff:g} Å. "
                "Write the file anew with write_cache and the cutoff of the model."
            )

    def survey(self) -> dict[str, np.ndarray]:
        """Return sizes, compositions and energies of all structures, as a `Dataset` needs them, without reading the structures.

        Returns:
            Dict of arrays (structures,): `n_atoms`, `n_neighbors` (the largest number of neighbors of an atom), `n_pairs`,
            `energies` in eV, the Booleans `energy`, `forces` and `stress` that tell whether a structure has the label, and
            `stress_set_aside`; `elements`, atomic numbers, and `compositions`, (structures, elements).
        """
        table, rows = self._table, self._indices
        sizes = np.diff(table["offsets"], axis=0)[rows]
        return {
            "n_atoms": sizes[:, 2],
            "n_pairs": sizes[:, 3],
            "n_neighbors": table["n_neighbors"][rows],
            "stress_set_aside": table["stress_set_aside"][rows],
            "energies": table["energy"][rows],
            "energy": np.isfinite(table["energy"][rows]),
            "forces": table["has_forces"][rows],
            "stress": np.isfinite(table["stress"][rows]).all(axis=1),
            "elements": table["elements"],
            "compositions": table["compositions"][rows],
        }

    def cells(self) -> np.ndarray:
        """Return the cells of all structures, (structures, 3, 3) in Å, with rows of zeros where a structure does not repeat."""
        starts, pbc = self._table["offsets"][self._indices, 0], self._table["pbc"][self._indices]
        cells = np.array([self._read("floats", start, start + 9) for start in starts]).reshape(-1, 3, 3)
        return cells * pbc[:, :, None]

    def record(self, index: int) -> dict:
        """Read one structure as arrays, with its neighbor list and labels.

        Args:
            index: Index in this sequence.

        Returns:
            Dict as from `keras_ff.data.records.labelled_record`, without `species`, `distance` and `placement`.

        Raises:
            ValueError: If the structure is damaged.
        """
        number = self._indices[index]
        (f0, i0, n0, p0), (f1, i1, n1, p1) = self._table["offsets"][number : number + 2]
        n_atoms, n_pairs = n1 - n0, p1 - p0
        floats, integers = self._read("floats", f0, f1), self._read("integers", i0, i1)
        numbers, counts, j, S = np.split(integers, np.cumsum([n_atoms, n_atoms, n_pairs]))
        forces = floats[9 + 3 * n_atoms :].reshape(-1, 3) if self._table["has_forces"][number] else np.full((n_atoms, 3), np.nan)
        problem = checked_record(floats, numbers, counts, j, self._table["elements"], self._table["n_neighbors"][number])
        if problem:
            raise ValueError(f"{self.path} is damaged: structure {number} has {problem}. Write it anew with write_cache.")
        return {
            "cell": floats[:9].reshape(3, 3),
            "pbc": self._table["pbc"][number].astype(bool),
            "n_neighbors": int(self._table["n_neighbors"][number]),
            "stress_set_aside": bool(self._table["stress_set_aside"][number]),
            "positions": floats[9 : 9 + 3 * n_atoms].reshape(-1, 3),
            "numbers": numbers,
            "i": np.repeat(np.arange(n_atoms, dtype=np.int32), counts),
            "j": j,
            "S": S.reshape(-1, 3),
            "energy": float(self._table["energy"][number]),
            "forces": forces,
            "stress": self._table["stress"][number],
        }

    def _open(self):
        if self._file is None:
            self._file = h5py.File(self.path, "r")
        return self._file

    def _read(self, name, start, end):
        try:
            return self._array(name)[start:end]
        except Exception as error:
            raise ValueError(f"{self.path} is damaged ({error}). Write it anew with write_cache.") from error

    def _array(self, name):
        # Looking it up in the file takes as long as reading a small structure.
        if name not in self._arrays:
            self._arrays[name] = self._open()[name]
        return self._arrays[name]

    def __getstate__(self):
        return {**self.__dict__, "_file": None, "_arrays": {}}


def write_cache(
    structures: Iterable[Atoms], path: str | os.PathLike, cutoff: float, species: Sequence[str] | None = None
) -> CachedStructures:
    """Write structures, their labels and their neighbor lists to a file that `Dataset` reads batch by batch.

    One structure is held in memory at a time, so `structures` may be a generator such as `iread("huge.xyz")`. The file appears
    under its name only when it is complete.

    Args:
        structures: Iterable of `ase.Atoms`, with labels as from `read`.
        path: Path of the file to write, usually `*.h5`; an older file is replaced.
        cutoff: Radius of the neighbor lists in Å, the cutoff of the model.
        species: Chemical symbols that the model knows; others are an error. None allows all elements.

    Returns:
        `CachedStructures` of the file.

    Raises:
        ValueError: If there is no structure, or a structure is broken or has an element that is not in `species`.

    Example:
        ::

            structures = kff.data.iread("huge.xyz")
            kff.data.write_cache(structures, "huge.h5", cutoff=model.cutoff, species=model.species)
            data = kff.data.Dataset("huge.h5", model)
    """
    batcher = Batcher(species, cutoff)
    with exclusive_file(path), replace_when_complete(path) as part:
        # Since version 1.10 HDF5 has checksums of its own structures; those of the data are added here.
        with h5py.File(part, "w", libver="v110") as file:
            file.attrs.update({"keras_ff_cache": VERSION, "cutoff": batcher.cutoff, "units": "eV, Å, eV/Å³"})
            floats = file.create_dataset("floats", (0,), np.float64, maxshape=(None,), chunks=(65536,), fletcher32=True)
            integers = file.create_dataset("integers", (0,), np.int32, maxshape=(None,), chunks=(65536,), fletcher32=True)
            offsets, energies, stresses, has_forces, pbc = [np.zeros(4, dtype=np.int64)], [], [], [], []
            most, compositions, set_aside, weights, types = [], [], [], [], []
            for index, atoms in enumerate(structures):
                record = labelled_record(atoms, index, batcher)
                labeled = bool(np.isfinite(record["forces"]).all())
                real = [record["cell"], record["positions"]] + [record["forces"]] * labeled
                counts = np.bincount(record["i"], minlength=len(atoms))
                whole = [record["numbers"], counts, record["j"], record["S"]]
                sizes = [_append(floats, real), _append(integers, whole), len(atoms), len(record["j"])]
                offsets.append(offsets[-1] + sizes)
                energies.append(record["energy"])
                stresses.append(record["stress"])
                set_aside.append(record["stress_set_aside"])
                has_forces.append(labeled)
                pbc.append(atoms.pbc)
                most.append(counts.max())
                weights.append(weights_of(atoms, index))
                types.append(type_of(atoms).encode())
                compositions.append(collections.Counter(record["numbers"].tolist()))
            if not energies:
                raise ValueError("There is no structure to write.")
            elements = sorted(set().union(*compositions))
            counts = [[composition[element] for element in elements] for composition in compositions]
            columns = (offsets, most, energies, stresses, set_aside, has_forces, pbc, elements, counts, weights, types)
            table = {name: np.array(values) for name, values in zip(TABLE, columns, strict=True)}
            for name, values in table.items():
                file[name] = values
            file.attrs["checksum"] = checksum_of_table(file.attrs, table)
    return CachedStructures(path)


def _append(dataset, arrays):
    values = np.concatenate([np.ravel(array) for array in arrays]).astype(dataset.dtype)
    start = dataset.shape[0]
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values
    return len(values)
