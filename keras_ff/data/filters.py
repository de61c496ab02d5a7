"""Sequences of structures, and their selection: random splits, and filters by forces, energies and elements."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from ase import Atoms

from keras_ff.data.cache import CachedStructures
from keras_ff.data.label_search import labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def split(structures: Sequence[Atoms], fractions: Sequence[float] = (0.9, 0.1), seed: int = 0) -> list[Sequence[Atoms]]:
    """Random split of structures into disjoint sets, such as training, validation and test set.

    Snapshots of one trajectory resemble each other: an error on a random selection of them says little about new structures.

    Args:
        structures: List of `ase.Atoms`, or `CachedStructures`.
        fractions: Fraction of the structures in each set, with a sum of at most 1.
        seed: Seed of the selection. The same seed gives the same sets.

    Returns:
        List of the sets, one for each fraction: lists of structures in the order of `structures`, or `CachedStructures`.

    Raises:
        ValueError: If the fractions are not positive or exceed 1 in the sum, or a set would be empty.

    Example:
        >>> import keras_ff as kff
        >>> training, test = kff.data.split(list(range(10)), (0.8, 0.2))
        >>> len(training), len(test)
        (8, 2)
    """
    fractions = np.asarray(fractions, dtype=np.float64)
    if fractions.ndim != 1 or not (fractions > 0.0).all() or fractions.sum() > 1.0 + 1e-9:
        raise ValueError(f"fractions are positive numbers with a sum of at most 1. Received fractions={fractions.tolist()}.")
    edges = np.round(np.append(0.0, np.cumsum(fractions)) * len(structures)).astype(int)
    if (np.diff(edges) == 0).any():
        raise ValueError(f"{len(structures)} structures are too few for fractions={fractions.tolist()}: a set would be empty.")
    order = np.random.default_rng(seed).permutation(len(structures))
    sets = [np.sort(order[low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return [selected(structures, indices) for indices in sets]


def selected(structures: Sequence[Atoms], indices: Sequence[int]) -> Sequence[Atoms]:
    """Some of the structures of a list or of `CachedStructures`, by their indices."""
    return structures.subset(indices) if isinstance(structures, CachedStructures) else [structures[index] for index in indices]


def filter(
    structures: Sequence[Atoms],
    max_force: float | None = None,
    energy_window: float | None = None,
    elements: Sequence[str] | None = None,
    max_atoms: int | None = None,
    condition: Callable[[Atoms], bool] | None = None,
) -> list[Atoms]:
    """Structures that meet all given criteria. A structure without a label meets the criterion on that label.

    Args:
        structures: List of `ase.Atoms`, or `CachedStructures`.
        max_force: Highest force on an atom in eV/Å.
        energy_window: Highest energy above the lowest structure of the same composition, in eV per atom.
        elements: Chemical symbols; a structure with any other element is left out.
        max_atoms: Highest number of atoms.
        condition: Function of an `ase.Atoms` that is true for the structures to keep.

    Returns:
        List of the structures that are kept, in their order.

    Raises:
        ValueError: If no structure is kept. The message says how many structures each criterion has left out.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kept = kff.data.filter([bulk("Si"), bulk("Si", cubic=True)], max_atoms=4)
        >>> [len(atoms) for atoms in kept]
        [2]
    """
    criteria = {}
    if max_force is not None:
        criteria[f"max_force={max_force}"] = lambda atoms: not highest_force(atoms) > max_force
    if energy_window is not None:
        lowest = {}
        for atoms in structures:
            key, energy = _composition(atoms), labels(atoms)["energy"] / len(atoms)
            lowest[key] = min(lowest.get(key, np.inf), energy if np.isfinite(energy) else np.inf)
        criteria[f"energy_window={energy_window}"] = lambda atoms: (
            not labels(atoms)["energy"] / len(atoms) - lowest[_composition(atoms)] > energy_window
        )
    if elements is not None:
        criteria[f"elements={list(elements)}"] = lambda atoms: set(atoms.symbols) <= set(elements)
    if max_atoms is not None:
        criteria[f"max_atoms={max_atoms}"] = lambda atoms: len(atoms) <= max_atoms
    if condition is not None:
        criteria["condition"] = condition
    passed = [[bool(criterion(atoms)) for criterion in criteria.values()] for atoms in structures]
    left = [atoms for atoms, flags in zip(structures, passed, strict=True) if all(flags)]
    if not left:
        taken = {name: sum(not flags[index] for flags in passed) for index, name in enumerate(criteria)}
        raise ValueError(f"The filter leaves nothing of {len(passed)} structures. Left out by each criterion: {taken}.")
    return left


def highest_force(atoms: Atoms) -> float:
    """Largest norm of the force on an atom of a structure, in eV/Å.

    Args:
        atoms: The structure, an `ase.Atoms` with or without forces.

    Returns:
        The norm; NaN without forces.
    """
    return float(np.linalg.norm(labels(atoms)["forces"], axis=-1).max(initial=0.0))


def _composition(atoms):
    counts = np.bincount(atoms.numbers)
    return tuple(counts // max(np.gcd.reduce(counts), 1))


def as_sequence(structures: Any, cutoff: float) -> Sequence[Atoms]:
    """Structures as `Dataset` takes them, checked.

    Args:
        structures: An `ase.Atoms`, an iterable of them, a `CachedStructures`, or the path of a cache.
        cutoff: Radius in Å that a cache must have.

    Returns:
        List of `ase.Atoms`, or `CachedStructures`.

    Raises:
        TypeError: If an item is no `ase.Atoms`.
        ValueError: If the path is not that of a cache, or the cache has another cutoff.
    """
    if isinstance(structures, Atoms):
        return [structures]
    if isinstance(structures, (str, os.PathLike)):
        if not os.fspath(structures).endswith((".h5", ".hdf5")) and not h5py.is_hdf5(structures):
            raise ValueError(
                f"A Dataset takes the path of a cache, which ends with .h5. Received {os.fspath(structures)!r}. Read other files: "
                "Dataset(keras_ff.data.read(path), model)."
            )
        structures = CachedStructures(structures)
    if isinstance(structures, CachedStructures):
        structures.check_cutoff(cutoff)
        return structures
    structures = list(structures)
    wrong = [type(item).__name__ for item in structures if not isinstance(item, Atoms)]
    if wrong:
        raise TypeError(
            f"A Dataset takes a list of ase.Atoms. Received a list with {wrong[0]}. "
            "Read files and other objects with keras_ff.data.read."
        )
    return structures
