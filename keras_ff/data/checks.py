"""Checks of labeled structures: wrong units and signs, duplicates and outliers, as far as the data themselves show them."""

from __future__ import annotations

import collections
import warnings
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from keras_ff.data.consistency import force_factor, group_of, stress_factor
from keras_ff.data.label_search import labels
from keras_ff.data.neighbors import neighbor_list
from keras_ff.data.outliers import compositions_of, energy_excess
from keras_ff.data.reference import fit_reference_energies, is_isolated
from keras_ff.data.weights import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ase import Atoms

# Distances are checked in this many structures, spread over the list.
DISTANCES_IN = 100

# Ratios of energies that have a known cause are certain within this fraction of it.
CERTAIN = 0.1
# Half of the stresses above this, in eV/Å³, are those of no matter: the pressure in the middle of the earth is 2 eV/Å³.
IMPOSSIBLE_STRESS = 10.0


class Contradiction(str):
    """Warning of `check` that the data prove themselves: energies, forces and stresses do not belong together.

    Programs refuse such data, unless they are told to continue.
    """


def check(structures: Iterable[Atoms]) -> list[str]:
    """Warnings about labeled structures whose data look wrong, as sentences.

    - Distances between neighbors are compared with covalent radii, which shows positions in Bohr or nm.
    - Energy differences of similar structures are compared with forces x displacement and with volume x stress : strain, which
      shows wrong units and signs of forces and stress, and another order of the shear components.
    - It reports structures that occur twice, energies and forces far from all others, forces that do not add up to zero,
      energies too large for single precision, and elements in very few structures.

    The time is linear in the number of atoms.

    Args:
        structures: Iterable of `ase.Atoms`, as from `read`.

    Returns:
        List of sentences; empty if nothing is suspicious. Those that are certain are `Contradiction`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.data.check([bulk("Si")])
        ['None of the 1 structures has an energy or forces.']
    """
    structures = list(structures)
    if not structures:
        return ["There are no structures."]
    all_labels = [labels(atoms) for atoms in structures]
    checks = (_missing, _elements, _distances, _duplicates, _energies, _forces, _force_consistency, _stress_consistency)
    return [warning for one in checks for warning in one(structures, all_labels)]


def _missing(structures, all_labels):
    counts = {kind: sum(np.isfinite(one[kind]).all() for one in all_labels) for kind in ("energy", "forces", "stress")}
    if not counts["energy"] and not counts["forces"]:
        yield f"None of the {len(structures)} structures has an energy or forces."
    for kind, count in counts.items():
        if 0 < count < len(structures):
            yield f"Only {count} of {len(structures)} structures have a label {kind!r}."


def _elements(structures, _):
    counts = collections.Counter(number for atoms in structures for number in set(atoms.numbers.tolist()))
    rare = [f"{chemical_symbols[number]} ({count})" for number, count in counts.items() if count < 3 and len(structures) >= 20]
    if rare:
        yield f"Elements in one or two structures only, too few to learn from: {', '.join(rare)}."


def _distances(structures, _):
    ratios = []
    for number in range(0, len(structures), -(-len(structures) // DISTANCES_IN)):
        atoms = structures[number]
        radii = covalent_radii[atoms.numbers]
        try:
            i, j, S = neighbor_list(atoms, _sphere_of(atoms, 60.0))
        except ValueError as error:
            yield f"Structure {number} ({atoms.get_chemical_formula()}): {error}"
            continue
        if len(i):
            r = np.linalg.norm(atoms.positions[j] + S @ atoms.cell[:] - atoms.positions[i], axis=-1)
            nearest = np.full(len(atoms), np.inf)
            np.minimum.at(nearest, i, r / (radii[i] + radii[j]))
            ratios.append(np.median(nearest[np.isfinite(nearest)]))
    if not ratios:
        return
    ratio = float(np.median(ratios))
    if ratio > 1.6:
        yield (
            f"Neighbors are typically {ratio:.2f} times as far apart as covalent radii say. If this is no gas or "
            "van der Waals crystal, positions and cell may be in Bohr (1 Bohr = 0.529177 Å)."
        )
    elif ratio < 0.6:
        yield f"Neighbors are typically only {ratio:.2f} times as far apart as covalent radii say. Is the length in Å, not nm?"


def _sphere_of(atoms, count):
    """Radius in Å, 0.1 to 6, of a sphere with `count` atoms at the density of the structure, or of its box without a cell."""
    extent = np.prod(np.ptp(atoms.positions, axis=0) + 1.0)
    volume = atoms.get_volume() if atoms.pbc.all() else extent
    return float(np.clip((0.75 / np.pi * count * volume / len(atoms)) ** (1.0 / 3.0), 0.1, 6.0))


def _duplicates(structures, all_labels):
    seen, twice = {}, []
    for index, atoms in enumerate(structures):
        key = (
            atoms.numbers.tobytes(),
            np.round(atoms.positions, 4).tobytes(),
            np.round(atoms.cell[:], 4).tobytes(),
            tuple(atoms.pbc),
        )
        first = seen.setdefault(hash(key), index)
        if first != index:
            twice.append((first, index))
    if not twice:
        return
    first, second = twice[0]
    yield f"{len(twice)} structures are copies of earlier ones (for example {second} of {first})."
    energies = [one["energy"] for one in all_labels]
    differ = [(first, second) for first, second in twice if abs(energies[first] - energies[second]) > 1e-3 * len(structures[first])]
    if differ:
        yield f"{len(differ)} of these copies have another energy (for example structures {differ[0][0]} and {differ[0][1]})."


def _energies(structures, all_labels):
    n_atoms = np.array([len(atoms) for atoms in structures])
    energies = np.array([one["energy"] for one in all_labels])
    known = np.isfinite(energies)
    if not known.any():
        return
    digits = np.abs(energies[known]).max() * np.finfo(np.float32).eps / n_atoms[known][np.abs(energies[known]).argmax()]
    if digits > 2e-4:
        yield (
            f"Total energies are so large that single precision tells them apart only to {1000 * digits:.1f} meV/atom. "
            "Subtract energies of free atoms with keras_ff.data.subtract_reference_energies."
        )
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        bonded = [index for index, atoms in enumerate(structures) if np.isfinite(energies[index]) and not is_isolated(atoms)]
        if bonded:
            fit_reference_energies(compositions_of(structures)[bonded], energies[bonded])
    yield from (str(doubt.message) for doubt in doubts)
    excess, limit = energy_excess(structures, energies)
    outliers = np.flatnonzero(np.abs(excess) > limit)
    if len(outliers):
        outliers = outliers[np.argsort(-np.abs(excess[outliers]), kind="stable")]
        worst, groups = outliers[0], collections.Counter(group_of(structures[index]) for index in outliers)
        named = ", ".join(f"{count} of group {name}" for name, count in groups.most_common(5) if name)
        yield (
            f"{len(outliers)} energies are far from those of all other structures, up to {excess[worst]:+.2f} eV/atom (structure "
            f"{worst}, {structures[worst].get_chemical_formula()}): structures {shortened(outliers.tolist())}"
            + (f" ({named})." if named else ".")
        )


def _forces(structures, all_labels):
    highest = np.array([np.linalg.norm(one["forces"], axis=-1).max(initial=0.0) for one in all_labels])
    if not np.isfinite(highest).any():
        return
    squares = np.concatenate([np.sum(one["forces"] ** 2, axis=-1) for one in all_labels])
    rms = float(np.sqrt(np.nanmean(squares) / 3.0))
    if np.nanmax(highest) > 100.0:
        worst = int(np.nanargmax(highest))
        many = int(np.sum(highest > 100.0))
        yield f"Forces above 100 eV/Å in {many} structure(s), up to {highest[worst]:.0f} eV/Å (structure {worst})."
    if rms > 10.0:
        yield f"The root mean square of the force components is {rms:.1f} eV/Å. Are they in kcal/mol/Å (1 kcal/mol = 0.043364 eV)?"
    net = np.array([np.linalg.norm(one["forces"].sum(axis=0)) / np.sqrt(len(one["forces"])) for one in all_labels])
    bad = np.flatnonzero(net > max(0.1 * rms, 0.05))
    if len(bad):
        worst = int(bad[net[bad].argmax()])
        total = np.linalg.norm(all_labels[worst]["forces"].sum(axis=0))
        yield (
            f"In {len(bad)} structures the forces do not add up to zero (structure {worst}: {total:.2f} eV/Å). Were the forces "
            "on fixed atoms set to zero, or atoms mixed up?"
        )


def _force_consistency(structures, all_labels):
    factor, pairs = force_factor(structures, all_labels)
    if factor is None or abs(factor - 1.0) < 0.3:
        return
    known = {
        -1.0: "the forces have the wrong sign (gradients?)",
        27.2114 / 0.529177: "the forces look like Hartree/Bohr",
        27.2114: "the forces look like Hartree/Å, or the energies are in eV and the forces not",
        1.0 / 0.529177: "the forces look like eV/Bohr, or the positions are in Bohr",
        0.529177: "the positions look like Bohr, with forces in eV/Å",
        0.0367493: "the energies look like Hartree, with forces in eV/Å",
        1.0 / 51.4221: "the energies look like Hartree and the positions like Bohr",
        0.0433641: "the forces look like kcal/mol/Å",
        23.0605: "the energies look like kcal/mol, with forces in eV/Å",
        0.0103643: "the forces look like kJ/mol/Å",
        96.4853: "the energies look like kJ/mol, with forces in eV/Å",
    }
    text = f"Between {pairs} pairs of similar structures the energy changes {factor:.3g} times as much as forces x displacement say"
    yield _explained(text, factor, known)


def _stress_consistency(structures, all_labels):
    factor, pairs, order = stress_factor(structures, all_labels)
    if factor is not None and abs(factor - 1.0) > 0.3:
        known = {
            -1.0: "the stress has the wrong sign (here positive is tension)",
            1.0 / 160.21766: "the stress looks like GPa",
            -1.0 / 160.21766: "the stress looks like GPa with the opposite sign",
            1.0 / 1602.1766: "the stress looks like kbar",
            -1.0 / 1602.1766: "the stress looks like kbar with the sign of VASP",
        }
        text = f"Between {pairs} pairs of strained structures the energy changes {factor:.3g} times as much as"
        yield _explained(f"{text} volume x stress : strain says", factor, known)
    elif factor is None:
        size = np.array([np.abs(one["stress"]).max() for one in all_labels])
        if np.isfinite(size).any() and np.nanmedian(size) > 0.5:
            kind = Contradiction if np.nanmedian(size) > IMPOSSIBLE_STRESS else str
            yield kind(
                f"Half of the stresses exceed {np.nanmedian(size):.2g} eV/Å³ (1 eV/Å³ = 160.2 GPa). Are they in GPa or kbar?"
            )
    if order is not None:
        yield Contradiction(f"The shear components of the stress fit the energies as {order}. The order of ASE is yz, xz, xy.")


def _explained(text, factor, known):
    """Sentence with the known cause within a quarter of the factor; a `Contradiction` if it is close."""
    distances = {cause: abs(np.log(factor / value)) for value, cause in known.items() if value * factor > 0}
    closest = min(distances, key=distances.get, default=None)
    if closest is None or distances[closest] >= 0.25:
        return f"{text}."
    return (Contradiction if distances[closest] < CERTAIN else str)(f"{text}: {closest}.")
