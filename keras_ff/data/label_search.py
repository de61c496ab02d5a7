"""Labels of structures: energy, forces and stress of an `ase.Atoms`, wherever a program has stored them."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from scipy.spatial import KDTree

from keras_ff.data.geometry_checks import check_geometry, on_top
from keras_ff.data.label_values import KEYS, KINDS, LABEL_NAMES, checked_label
from keras_ff.data.neighbors import completed
from keras_ff.data.units import StressConvention

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

# Atoms of training data that are closer than this in Å lie on top of each other.
SHORTEST = 0.1

# Number of atoms up to which all pairs are compared, which takes less time than a tree.
FEW = 90


class Labels(SinglePointCalculator):
    """Calculator that holds the labels that were chosen for a structure.

    Other names in `info` and `arrays` of the structure are not considered any more, unless a user names one of them.
    """


class MissingLabel(ValueError):
    """Error that is raised when a structure does not have a label that a user requires or names."""


def labels(
    atoms: Atoms, energy_key: str | None = None, forces_key: str | None = None, stress_key: str | None = None
) -> dict[str, Any]:
    """Labels of one structure: its energy, forces and stress.

    They are looked up in the results of the attached calculator, in `atoms.info` and in `atoms.arrays`, under the common names;
    nothing is computed. A virial is turned into a stress, `-virial / volume`. Results of a calculator that belong to another
    geometry (the atoms have moved since) are not used.

    Args:
        atoms: The structure, an `ase.Atoms`.
        energy_key: Name of the energy; by default the common names are tried.
        forces_key: Name of the forces; by default the common names are tried.
        stress_key: Name of the stress; by default the common names are tried. A name with "virial" in it is a virial in eV.

    Returns:
        Dict of `energy` (float, eV), `forces` ((atoms, 3), eV/Å) and `stress` ((6,) in the order xx, yy, zz, yz, xz, xy,
        eV/Å³, positive under tension). Missing labels are NaN.

    Raises:
        ValueError: If a label has the wrong shape or is not finite.

    Warns:
        UserWarning: If two names hold different values, there is only a free energy, or the results belong to another geometry.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> dimer = Atoms("H2", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]], info={"REF_energy": -31.7})
        >>> kff.data.labels(dimer)["energy"]
        -31.7
    """
    settled = _settled(atoms)
    if settled is not None and not (energy_key or forces_key or stress_key):
        return settled
    present, _, notes = find_labels(atoms, dict(energy=energy_key, forces=forces_key, stress=stress_key))
    for note in notes:
        # Python shows the same warning once.
        warnings.warn(f"Labels of structures: {note}.", stacklevel=2)
    missing = {"energy": np.nan, "forces": np.full((len(atoms), 3), np.nan), "stress": np.full(6, np.nan)}
    return {kind: present.get(kind, missing[kind]) for kind in KINDS}


def _settled(atoms):
    """Labels of a structure that `read` has made, as long as nobody moved its atoms; None for all others."""
    if type(atoms.calc) is not Labels or not same_geometry(atoms, atoms.calc.atoms):
        return None
    results = atoms.calc.results
    missing = {"energy": np.nan, "forces": np.full((len(atoms), 3), np.nan), "stress": np.full(6, np.nan)}
    return {kind: results.get(kind, missing[kind]) for kind in KINDS}


def same_geometry(atoms: Atoms, other: Atoms) -> bool:
    """Whether two structures have the same elements, positions, cell and periodicity, to 1e-8 Å.

    Args:
        atoms: A structure.
        other: Another structure.

    Returns:
        Boolean. Magnetic moments, charges and labels are not compared.
    """
    return (
        _same(atoms.numbers, other.numbers)
        and _same(atoms.positions, other.positions, 1e-8)
        and _same(atoms.cell.array, other.cell.array, 1e-8)
        and _same(atoms.pbc, other.pbc)
    )


def _same(one, other, tolerance=0.0):
    """Whether two arrays agree; most are copies of each other, and their bytes are compared in a tenth of the time."""
    if one.shape != other.shape:
        return False
    if one.dtype == other.dtype and one.tobytes() == other.tobytes():
        return True
    return bool(np.all(np.abs(one - other) <= tolerance)) if tolerance else bool(np.all(one == other))


def find_labels(
    atoms: Atoms, keys: Mapping[str, str | None] | None = None, stress: StressConvention | None = None
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Labels of a structure, the names under which they were stored, and notes about doubtful choices.

    Args:
        atoms: The structure, an `ase.Atoms`.
        keys: Dict from "energy", "forces" or "stress" to the one name to use; the common names are tried for the others.
        stress: Convention of the stress where `read` has not settled it; that of ASE by default.

    Returns:
        Tuple of three: a dict of the labels that exist; a dict of the names that they had; and a list of sentences, the same for
        all structures with the same doubt.

    Raises:
        ValueError: If a label has the wrong shape or is not finite.
    """
    chosen, names, notes, convention = {}, {}, [], stress or StressConvention()
    results, stale = calculator_results(atoms)
    stores = _stores(atoms)
    if stale:
        notes.append("the attached calculator holds results of another geometry, which are not used")
    for kind in KINDS:
        wanted = (keys or {}).get(kind)
        settled = isinstance(atoms.calc, Labels) and not stale
        candidates = _candidates([] if settled and not wanted else stores, results, (wanted,) if wanted else KEYS[kind])
        values = {}
        for name, raw in candidates.items():
            value = checked_label(kind, name, raw, atoms, StressConvention() if settled and not wanted else convention)
            if value is not None:
                values[name] = value
        if not values:
            continue
        names[kind], chosen[kind] = next(iter(values.items()))
        if _is_free(names[kind]) and not wanted:
            notes.append("only a 'free_energy' is found, which is used as the energy; name another with energy_key=")
        for name, value in values.items():
            if name == names[kind] or _is_free(name):
                continue
            if not np.allclose(value, chosen[kind], rtol=1e-6, atol=1e-6):
                notes.append(
                    f"'{names[kind]}' and '{name}' differ; '{names[kind]}' is used. Name the one you mean with {kind}_key="
                )
    return chosen, names, notes


def normalized(atoms: Atoms, found: Mapping[str, Any], names: Mapping[str, str]) -> Atoms:
    """Copy of a structure whose calculator holds its labels; all else in `info` and `arrays` is kept.

    Args:
        atoms: The structure.
        found: Labels, as from `find_labels`.
        names: Names under which they were stored, as from `find_labels`.

    Returns:
        The copy, an `ase.Atoms`.
    """
    return settle(atoms.copy(), found, names)


def settle(atoms: Atoms, found: Mapping[str, Any], names: Mapping[str, str]) -> Atoms:
    """Move the labels of a structure into its calculator, and remove them from `info` and `arrays`.

    Args:
        atoms: The structure, which is changed.
        found: Labels, as from `find_labels`.
        names: Names under which they were stored, as from `find_labels`.

    Returns:
        The same `atoms`.
    """
    for name in names.values():
        if not name.endswith(" (calculator)"):
            for store in _stores(atoms):
                store.pop(name, None)
    atoms.calc = Labels(atoms, **found)
    return atoms


def without_labels(atoms: Atoms) -> Atoms:
    """Copy of a structure without a calculator and without the labels that have common names.

    Args:
        atoms: The structure.

    Returns:
        The copy, an `ase.Atoms`.
    """
    bare = atoms.copy()
    for store in _stores(bare):
        for name in LABEL_NAMES:
            store.pop(name, None)
    return bare


def calculator_results(atoms: Atoms) -> tuple[dict[str, Any], bool]:
    """Results that the attached calculator holds for a structure; nothing is computed.

    Args:
        atoms: The structure.

    Returns:
        Tuple of the results, a dict, and whether there were results that belong to another geometry and are left out.
    """
    calculator = atoms.calc
    results = {name: value for name, value in (getattr(calculator, "results", None) or {}).items() if value is not None}
    if not results or getattr(calculator, "atoms", None) is None:
        return results, False
    # Magnetic moments and charges that were set later do not make the results those of another structure.
    return (results, False) if same_geometry(atoms, calculator.atoms) else ({}, True)


def available_keys(atoms: Atoms) -> list[str]:
    """Names under which a structure stores anything that could be a label, for an error message.

    Args:
        atoms: The structure.

    Returns:
        List of names.
    """
    results, _ = calculator_results(atoms)
    names = [f"{name} (calculator)" for name in results]
    for store in _stores(atoms):
        names += [name for name in store if name not in ("numbers", "positions", "key_value_pairs", "data") and name not in names]
    return names


def check_structure(atoms: Atoms) -> None:
    """Raise an error if a structure is broken.

    Args:
        atoms: The structure.

    Raises:
        ValueError: If it has no atoms, an atom is of no element, positions or cell are not finite, the cell has no volume in its
            periodic directions, or atoms lie on top of each other.
    """
    if len(atoms) == 0:
        raise ValueError("The structure has no atoms.")
    unknown = (atoms.numbers < 1) | (atoms.numbers >= len(chemical_symbols))
    if unknown.any():
        atom = int(unknown.argmax())
        raise ValueError(f"Atom {atom} has the atomic number {atoms.numbers[atom]}, which is that of no element.")
    check_geometry(atoms.positions, atoms.cell[:], atoms.pbc)
    closest = closest_pair(atoms, SHORTEST)
    if closest is not None:
        raise ValueError(f"{on_top(*closest)}.")


def closest_pair(atoms: Atoms, distance: float) -> tuple[int, int, float] | None:
    """Closest pair of atoms of a structure, if it is closer than a small distance.

    It takes no neighbor list: few atoms are compared one by one, many are put into a tree.

    Args:
        atoms: The structure.
        distance: Small length in Å.

    Returns:
        Tuple of the indices of the two atoms, the same index for an atom and its own periodic image, and their distance in Å;
        None if no pair is closer than `distance`.
    """
    periodic = np.asarray(atoms.pbc)
    everywhere = all(periodic.tolist())
    cell = atoms.cell.array if everywhere else completed(atoms.cell.array, periodic)
    inverse = np.linalg.inv(cell)
    fractions = atoms.positions @ inverse
    if len(atoms) <= FEW:
        first, second = _all_pairs(len(atoms))
    else:
        fractions -= np.floor(fractions) * periodic
        # In fractional coordinates a sphere is an ellipsoid, which this ball contains.
        radius = min(distance * np.linalg.norm(inverse), 0.499)
        # Rounding may leave 1, which is 0; a tree takes no negative numbers where another direction repeats.
        points = np.where(periodic, fractions % 1.0, fractions - fractions.min(axis=0))
        first, second = KDTree(points, boxsize=np.where(periodic, 1.0, 0.0)).query_pairs(radius, output_type="ndarray").T
    between = fractions[second] - fractions[first]
    turns = np.rint(between)
    vectors = (between - (turns if everywhere else turns * periodic)) @ cell
    squares = np.einsum("ij,ij->i", vectors, vectors)
    pair = int(squares.argmin()) if len(squares) else None
    own = min(
        (math.hypot(*vector) for vector, repeats in zip(cell.tolist(), periodic.tolist(), strict=True) if repeats), default=math.inf
    )
    if own < distance:
        return 0, 0, float(own)
    if pair is None or squares[pair] >= distance**2:
        return None
    i, j = sorted((int(first[pair]), int(second[pair])))
    return i, j, float(np.sqrt(squares[pair]))


@functools.cache
def _all_pairs(count):
    return np.triu_indices(count, 1)


def _is_free(name):
    return name.removesuffix(" (calculator)") in ("free_energy", "e_fr_energy")


def _stores(atoms):
    """Dictionaries of an Atoms that may hold labels; a row of an ASE database nests two of them in `info`."""
    nested = [atoms.info[name] for name in ("key_value_pairs", "data") if isinstance(atoms.info.get(name), dict)]
    return [atoms.info, atoms.arrays, *nested]


def _candidates(stores, results, names):
    """Values under any of the names: those of the calculator first, then those in `stores`, and free energies after everything."""
    # The spelling "energy (calculator)" of messages and reports is understood as well.
    plain = [name.removesuffix(" (calculator)") for name in names]
    candidates = {f"{name} (calculator)": results[name] for name in plain if results.get(name) is not None}
    present = {name for store in stores for name in store}
    for name in names if present.intersection(names) else ():
        value = next((store[name] for store in stores if store.get(name) is not None), None)
        if value is not None:
            candidates[name] = value
    if len(candidates) < 2:
        return candidates
    return dict(sorted(candidates.items(), key=lambda item: (_is_free(item[0]), not item[0].endswith(" (calculator)"))))
