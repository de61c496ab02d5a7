"""Checks of the HDF5 files of `CachedStructures`, which may be damaged, or made by someone else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from keras_ff.files.fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

# Data sets that are held in memory, with one row for each structure, and the kinds of their numbers.
TABLE = {
    "offsets": "i",
    "n_neighbors": "i",
    "energy": "f",
    "stress": "f",
    "stress_set_aside": "b",
    "has_forces": "b",
    "pbc": "b",
    "elements": "i",
    "compositions": "i",
    "weights": "f",
    "types": "S",
}
# Data sets of which one structure at a time is read.
ARRAYS = {"floats": np.dtype("float64"), "integers": np.dtype("int32")}


def checksum_of_table(attributes: Mapping, table: Mapping[str, np.ndarray]) -> str:
    """Checksum of all that is read when a cache is opened.

    Args:
        attributes: Attributes of the file.
        table: Arrays, by the names in `TABLE`.
    """
    return fingerprint([{name: attributes[name] for name in ("keras_ff_cache", "cutoff", "units")}, dict(table)])


def checked_table(file: h5py.File, size: int) -> dict[str, np.ndarray]:
    """Arrays of a cache that are held in memory, after a check.

    Args:
        file: The open file.
        size: Number of its bytes.

    Returns:
        Dict of the arrays in `TABLE`.

    Raises:
        ValueError: If something is missing, lies outside of the file, or contradicts the rest.
        Exception: Errors of h5py.
    """
    cutoff = float(file.attrs["cutoff"])
    _require(np.isfinite(cutoff) and cutoff > 0, f"the cutoff is {cutoff}")
    arrays = {name: _inside(file, name, size) for name in (*TABLE, *ARRAYS)}
    for name, dtype in ARRAYS.items():
        _require(arrays[name].dtype == dtype and arrays[name].ndim == 1, f"{name} is no list of {dtype}")
    table = {name: arrays[name][:] for name in TABLE}
    for name, kind in TABLE.items():
        _require(table[name].dtype.kind == kind, f"{name} holds {table[name].dtype}")
    # Other programs need not write one.
    if "checksum" in file.attrs:
        _require(file.attrs["checksum"] == checksum_of_table(file.attrs, table), "its checksum does not fit its content")
    _check_shapes(table)
    _check_values(table, [len(arrays[name]) for name in ARRAYS])
    return table


def checked_record(floats, numbers, counts, j, elements, most) -> str | None:
    """What is wrong with the arrays of one structure; None if nothing is.

    Args:
        floats: Cell, positions and forces.
        numbers: Atomic numbers.
        counts: Number of neighbors of each atom.
        j: Index of the neighbor of each pair.
        elements: Atomic numbers that the file holds.
        most: Largest of `counts`.
    """
    if not np.isfinite(floats).all():
        return "numbers that are not finite"
    if not np.isin(numbers, elements).all():
        return f"atomic numbers other than {elements.tolist()}"
    if counts.min() < 0 or counts.max() != most or counts.sum() != len(j):
        return f"{len(j)} pairs that do not fit the numbers of neighbors"
    if len(j) and not (j.min() >= 0 and j.max() < len(numbers)):
        return f"neighbors beyond its {len(numbers)} atoms"
    return None


def _inside(file, name, size):
    """A data set that is in the file itself, no link and no view of others, and not larger than the file."""
    _require(isinstance(file.get(name, getlink=True), h5py.HardLink), f"{name} is missing or a link to elsewhere")
    dataset = file[name]
    _require(isinstance(dataset, h5py.Dataset), f"{name} is no data set")
    _require(not dataset.is_virtual and not dataset.external, f"the data of {name} lies outside of the file")
    _require(dataset.nbytes <= size, f"{name} is larger than the file")
    return dataset


def _check_shapes(table):
    count, elements = len(table["energy"]), len(table["elements"])
    shapes = {"offsets": (count + 1, 4), "stress": (count, 6), "pbc": (count, 3), "elements": (elements,)}
    shapes |= {"compositions": (count, elements), "weights": (count, 4)}
    for name, values in table.items():
        expected = shapes.get(name, (count,))
        _require(count > 0 and values.shape == expected, f"{name} has the shape {values.shape}, not {expected}")


def _check_values(table, lengths):
    offsets = table["offsets"]
    floats, integers, atoms, pairs = sizes = np.diff(offsets, axis=0).T
    _require(not offsets[0].any() and (sizes >= 0).all() and (atoms > 0).all(), "the sizes of structures are no sizes")
    _require(offsets[-1, :2].tolist() == lengths, "the sizes of structures do not fit the data")
    fit = (floats == 9 + 3 * atoms * (1 + table["has_forces"])) & (integers == 2 * atoms + 4 * pairs)
    _require(fit.all(), "the sizes of structures contradict each other")
    _require(not any(np.isinf(table[name]).any() for name in ("energy", "stress")), "labels are infinite")
    weights, elements = table["weights"], table["elements"]
    _require(np.isfinite(weights).all() and (weights >= 0).all(), "weights are negative or not finite")
    _require(((elements >= 0) & (elements < 119)).all(), "elements are no atomic numbers")
    _require((table["compositions"].sum(axis=1) == atoms).all(), "compositions do not fit the numbers of atoms")
    _require((table["n_neighbors"] >= 0).all(), "numbers of neighbors are negative")


def _require(condition, problem):
    if not condition:
        raise ValueError(problem)
