"""Splitting a list of structures and leaving some of them out."""

import numpy as np

from keras_ff.data.labels import labels


def split(structures, fractions=(0.9, 0.1), seed=0):
    """Random parts of a list of structures, such as training, validation and test set.

    Snapshots of one trajectory resemble each other: a random part of them says little about new structures.

    Args:
        structures: List of `ase.Atoms` or `CachedStructures`.
        fractions: Part of each set, in the sum at most 1.
        seed: The same seed gives the same sets.

    Returns:
        List with one list of structures for each fraction, in the order of `structures`.

    Raises:
        ValueError: If the fractions are no fractions, or a set would be empty.

    Example:
        >>> [len(part) for part in split(list(range(10)), (0.8, 0.2))]
        [8, 2]
    """
    fractions = np.asarray(fractions, dtype=np.float64)
    if fractions.ndim != 1 or not (fractions > 0.0).all() or fractions.sum() > 1.0 + 1e-9:
        raise ValueError(f"fractions are positive numbers with a sum of at most 1. Received fractions={fractions.tolist()}.")
    edges = np.round(np.append(0.0, np.cumsum(fractions)) * len(structures)).astype(int)
    if (np.diff(edges) == 0).any():
        raise ValueError(f"{len(structures)} structures are too few for fractions={fractions.tolist()}: a set would be empty.")
    order = np.random.default_rng(seed).permutation(len(structures))
    parts = [np.sort(order[low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    if hasattr(structures, "subset"):
        return [structures.subset(part) for part in parts]
    return [[structures[index] for index in part] for part in parts]


def filter(structures, max_force=None, energy_window=None, elements=None, max_atoms=None, condition=None):
    """The structures that pass all the criteria. A structure without a label passes the criterion on that label.

    Args:
        structures: List of `ase.Atoms`.
        max_force: Highest force on an atom in eV/Å.
        energy_window: Highest energy above the lowest structure of the same composition, in eV per atom.
        elements: Chemical symbols; a structure with any other element is left out.
        max_atoms: Highest number of atoms.
        condition: Function of an `ase.Atoms` that is true for those to keep.

    Raises:
        ValueError: If nothing is left. The message says how many structures each criterion has taken.
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
        taken = {name: sum(not flags[place] for flags in passed) for place, name in enumerate(criteria)}
        raise ValueError(f"The filter leaves nothing of {len(passed)} structures. Taken by each criterion: {taken}.")
    return left


def highest_force(atoms):
    """Largest norm of the force on an atom in eV/Å; NaN where there are no forces."""
    return float(np.linalg.norm(labels(atoms)["forces"], axis=-1).max(initial=0.0))


def _composition(atoms):
    counts = np.bincount(atoms.numbers)
    return tuple(counts // max(np.gcd.reduce(counts), 1))
