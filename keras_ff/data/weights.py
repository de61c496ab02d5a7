"""Weights of structures and of their labels in a loss, as files of MACE, QUIP, GPUMD and FitSNAP name them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_ff.data.label_search import KINDS
from keras_ff.data.roles import WeightedStructures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

# Names in `Atoms.info`. The weight of a structure multiplies those of its labels.
WEIGHTS = {
    "structure": ("config_weight", "weight"),
    "energy": ("config_energy_weight", "energy_weight", "eweight"),
    "forces": ("config_forces_weight", "forces_weight", "config_force_weight", "force_weight", "fweight"),
    "stress": (
        ("config_stress_weight", "stress_weight", "config_virials_weight", "virials_weight")
        + ("config_virial_weight", "virial_weight", "vweight")
    ),
}
NAMES = {name for names in WEIGHTS.values() for name in names}


def label_weights(atoms: Atoms) -> dict[str, float]:
    """Weights of a structure and of its labels in a loss, from `atoms.info`; 1 where there is none.

    The names are those of MACE (`config_weight`, `config_energy_weight`, `config_forces_weight`, `config_stress_weight`,
    `config_virials_weight`), the same without `config_`, and those of FitSNAP (`eweight`, `fweight`, `vweight`).

    Args:
        atoms: The structure, an `ase.Atoms`.

    Returns:
        Dict of "structure", "energy", "forces" and "stress". The weight of a label in the loss is the product of its own and that
        of the structure.

    Raises:
        ValueError: If a weight is no finite number, is negative, or two names of the same weight differ.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> kff.data.label_weights(Atoms("H", info={"config_weight": 0.5, "config_energy_weight": 2}))
        {'structure': 0.5, 'energy': 2.0, 'forces': 1.0, 'stress': 1.0}
    """
    weights, stores = {}, _stores(atoms)
    if all(NAMES.isdisjoint(store) for store in stores):
        return dict.fromkeys(WEIGHTS, 1.0)
    for kind, names in WEIGHTS.items():
        given = {name: store[name] for name in names for store in stores if store.get(name) is not None}
        values = {name: _checked(name, value) for name, value in given.items()}
        if len(set(values.values())) > 1:
            raise ValueError(f"The weights {values} name the same weight, and differ. Keep one of them in the file.")
        weights[kind] = next(iter(values.values()), 1.0)
    return weights


def _checked(name, value):
    array = np.asarray(value)
    number = float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "iuf" else math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{name!r} is the weight in the loss, a finite number that is 0 or more. Received {name}={value!r}.")
    return number


def weigh_types(structures: Sequence[Atoms], factors: Mapping[str, float]) -> Sequence[Atoms]:
    """Structures with weights that are multiplied by a factor of their type, `config_type` in `atoms.info`.

    Args:
        structures: List of `ase.Atoms`, or `CachedStructures`.
        factors: Dict from types to factors, as the `config_type_weights` of MACE: "Default" is the type of structures that have
            none, and types that are not named have the factor 1.

    Returns:
        List of copies with another `config_weight` in `info`, or `CachedStructures`.

    Raises:
        ValueError: If a weight or factor is no finite number or is negative, or no structure has one of the types.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> dimer = Atoms("H2", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]], info={"config_type": "dimer", "config_weight": 2.0})
        >>> kff.data.weigh_types([dimer], {"Default": 1.0, "dimer": 0.25})[0].info["config_weight"]
        0.5
    """
    factors = {str(name): _checked(f"factor of {name}", value) for name, value in factors.items()}
    types = types_of(structures)
    if unknown := sorted(set(factors) - set(types) - {"Default"}):
        raise ValueError(
            f"No structure has one of the types {unknown}, which are to have weights. The types of the structures "
            f"(config_type) are {sorted(set(types))}; 'Default' is that of structures without a type."
        )
    factor = np.array([factors.get(name, 1.0) for name in types])
    return multiplied(structures, factor)


def multiplied(structures: Sequence[Atoms], factors: np.ndarray) -> Sequence[Atoms]:
    """Structures with weights that are multiplied by a factor for each, `(structures,)`: copies, or `CachedStructures`."""
    if isinstance(structures, WeightedStructures):
        return structures.with_weights(structures.weights * np.column_stack([factors, *np.ones((len(KINDS), len(factors)))]))
    weighed = []
    for number, (atoms, one) in enumerate(zip(structures, factors.tolist(), strict=True)):
        copy, weight = _bare(atoms, WEIGHTS["structure"]), weights_of(atoms, number)[0]
        copy.info["config_weight"] = weight * one
        weighed.append(copy)
    return weighed


def types_of(structures: Sequence[Atoms]) -> list[str]:
    """Type of each structure, `config_type` in `atoms.info`, "Default" for a structure without one."""
    if isinstance(structures, WeightedStructures):
        return structures.types
    return [type_of(atoms) for atoms in structures]


def type_of(atoms: Atoms) -> str:
    """Type of a structure, see `types_of`."""
    return str(next((store["config_type"] for store in _stores(atoms) if store.get("config_type") not in (None, "")), "Default"))


def _stores(atoms):
    """Dictionaries of an Atoms that may hold weights; a row of an ASE database nests two of them in `info`."""
    return [atoms.info, *(atoms.info[name] for name in ("key_value_pairs", "data") if isinstance(atoms.info.get(name), dict))]


def weights_of(atoms: Atoms, index: int) -> list[float]:
    """Weights of a structure and of its energy, forces and stress; errors name the structure by its index."""
    try:
        return list(label_weights(atoms).values())
    except ValueError as error:
        raise ValueError(f"Structure {index} ({atoms.get_chemical_formula()}): {error}") from error


def all_weights(structures: Sequence[Atoms]) -> np.ndarray:
    """Weights of structures and of their energies, forces and stresses, `(structures, 4)`."""
    if isinstance(structures, WeightedStructures):
        return structures.weights
    return np.array([weights_of(atoms, index) for index, atoms in enumerate(structures)]).reshape(-1, 1 + len(KINDS))


def unweighted(structures: Sequence[Atoms]) -> Sequence[Atoms]:
    """The same structures, all with the weight 1: a list of `ase.Atoms`, or `CachedStructures`."""
    if isinstance(structures, WeightedStructures):
        return structures.with_weights(np.ones_like(structures.weights))
    return [_bare(atoms, sum(WEIGHTS.values(), ())) for atoms in structures]


def counts_at_all(weights: np.ndarray) -> np.ndarray:
    """Whether structures have any weight, `(structures,)`, from weights `(structures, 4)`."""
    return (weights[:, 0] > 0) & weights[:, 1:].any(axis=1)


def without_weightless(labels: dict[str, Any], weights: Sequence[float]) -> dict[str, Any]:
    """Labels of a structure, of which those with the weight 0 are missing (NaN).

    Args:
        labels: Dict of "energy", "forces" and "stress".
        weights: Weights of the structure and of its labels.
    """
    if min(weights) > 0:
        return labels
    present = dict(zip(KINDS, np.asarray(weights[1:]) * weights[0] > 0, strict=True))
    return {kind: value if present.get(kind, True) else value * np.nan for kind, value in labels.items()}


def has_effect(weights: np.ndarray) -> bool:
    """Whether weights `(structures, 4)` change a loss: not if all structures have the same one, and all labels 1."""
    return len(weights) > 0 and bool(np.ptp(weights[:, 0]) > 0 or (weights[:, 1:] != 1.0).any())


def normalized(weights: np.ndarray, labeled: np.ndarray, n_atoms: np.ndarray) -> np.ndarray:
    """Weights of the labels of a data set, in which those of the structures have the mean 1 over all labels of a kind.

    A structure with the weight 2 then counts as much as two copies of it, whatever the batches are.

    Args:
        weights: Weights of structures and of their labels, `(structures, 4)`.
        labeled: Whether a structure has an energy, forces and a stress, `(structures, 3)`.
        n_atoms: Number of atoms of each structure, `(structures,)`.

    Returns:
        Array `(structures, 3)` for energies, forces and stresses.
    """
    counts = labeled * np.stack([np.ones_like(n_atoms), n_atoms, np.ones_like(n_atoms)], axis=1)
    totals = (weights[:, :1] * counts).sum(axis=0)
    means = np.where(totals > 0, totals, 1.0) / np.where(totals > 0, counts.sum(axis=0), 1)
    return weights[:, 1:] * weights[:, :1] / means


def weights_found(weights: np.ndarray, labeled: np.ndarray) -> dict[str, float]:
    """Number of structures with labels of other weights than 1, and the smallest and the largest weight of the labels.

    Args:
        weights: Weights of structures and of their labels, `(structures, 4)`.
        labeled: Whether a structure has an energy, forces and a stress, `(structures, 3)`.
    """
    products = weights[:, 1:] * weights[:, :1]
    known = products[labeled] if labeled.any() else np.ones(1)
    others = ((products != 1.0) & labeled).any(axis=1)
    return {"structures": int(others.sum()), "smallest": float(known.min()), "largest": float(known.max())}


def shortened(indices: Sequence[int], most: int = 10) -> str:
    """The first of many indices as text."""
    return ", ".join(map(str, indices[:most])) + (f" and {len(indices) - most} more" if len(indices) > most else "")


def _bare(atoms, names):
    """Copy of a structure, with the same calculator, without some of its weights."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    # ASE copies `info` alone, and not the dictionaries in it.
    copy.info = {name: dict(value) if isinstance(value, dict) else value for name, value in copy.info.items()}
    for store in _stores(copy):
        for name in names:
            store.pop(name, None)
    return copy
