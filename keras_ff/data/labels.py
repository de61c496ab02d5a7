"""Energy, forces and stress of an `ase.Atoms`, wherever a program has put them."""

import warnings

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from keras_ff.data.neighbors import check_geometry, neighbor_list

KINDS = ("energy", "forces", "stress")

# Tried in this order, after the attached calculator. A free energy is taken only where no energy is found.
KEYS = {
    "energy": (
        ("energy", "Energy", "dft_energy", "DFT_energy", "energy_dft", "energy_DFT", "REF_energy", "ref_energy", "energy_ref")
        + ("total_energy", "TotEnergy", "potential_energy", "e_0_energy", "free_energy", "e_fr_energy")
    ),
    "forces": (
        ("forces", "force", "Forces", "Force", "dft_forces", "DFT_forces", "dft_force", "DFT_force", "forces_dft", "forces_DFT")
        + ("REF_forces", "REF_force", "ref_forces", "forces_ref")
    ),
    "stress": (
        ("stress", "Stress", "dft_stress", "DFT_stress", "stress_dft", "stress_DFT", "REF_stress", "ref_stress", "stress_ref")
        + ("virial", "virials", "Virial", "dft_virial", "DFT_virial", "virial_dft", "dft_virials", "DFT_virials")
        + ("REF_virial", "REF_virials", "ref_virial", "ref_virials")
    ),
}
SHAPES = {
    "energy": "one number in eV",
    "forces": "(atoms, 3) in eV/Å",
    "stress": "6 (xx, yy, zz, yz, xz, xy), (3, 3) or 9 numbers in eV/Å³",
}


class Labels(SinglePointCalculator):
    """The labels that were chosen for a structure. Other names in `info` and `arrays` no longer count, unless asked for."""


class MissingLabel(ValueError):
    """A label that was asked for is not there."""


def labels(atoms, energy_key=None, forces_key=None, stress_key=None):
    """The labels of one structure.

    They are looked for in the results of the attached calculator, in `atoms.info` and in `atoms.arrays`, under the common names;
    nothing is computed. A virial is turned into a stress, `-virial / volume`. Results of a calculator that belong to another
    geometry (the atoms have moved since) do not count.

    Args:
        atoms: An `ase.Atoms`.
        energy_key: Name of the energy, where the common names are not meant; `forces_key` and `stress_key` likewise.

    Returns:
        Dictionary of `energy` (float, eV), `forces` ((atoms, 3), eV/Å) and `stress` ((6,) in the order xx, yy, zz, yz, xz, xy,
        eV/Å³, positive under tension). What is missing is NaN.

    Raises:
        ValueError: If a label has the wrong shape or is not finite.

    Warns:
        If two names hold different values, only a free energy is found, or the results belong to another geometry.
    """
    found, _, notes = find_labels(atoms, dict(energy=energy_key, forces=forces_key, stress=stress_key))
    for note in notes:
        # Python shows the same warning once.
        warnings.warn(f"Labels of structures: {note}.", stacklevel=2)
    missing = {"energy": np.nan, "forces": np.full((len(atoms), 3), np.nan), "stress": np.full(6, np.nan)}
    return {kind: found.get(kind, missing[kind]) for kind in KINDS}


def find_labels(atoms, keys=None):
    """Labels of `atoms` with their names and what a user should know about the choice.

    Args:
        atoms: An `ase.Atoms`.
        keys: Dictionary from kind to the one name to use, or None.

    Returns:
        Tuple of `found` (kind to value), `names` (kind to the name it had) and `notes` (list of sentences, the same for
        all structures with the same trouble).
    """
    found, names, notes = {}, {}, []
    results, stale = calculator_results(atoms)
    if stale:
        notes.append("the attached calculator holds results of another geometry, which are not used")
    for kind in KINDS:
        wanted = (keys or {}).get(kind)
        settled = isinstance(atoms.calc, Labels) and not stale
        candidates = _candidates(atoms, results, (wanted,) if wanted else KEYS[kind], settled and not wanted)
        values = {}
        for name, raw in candidates.items():
            value = _checked(kind, name, raw, atoms)
            if value is not None:
                values[name] = value
        if not values:
            continue
        names[kind], found[kind] = next(iter(values.items()))
        if _is_free(names[kind]):
            notes.append("only a 'free_energy' is found, which is used as the energy; name another with energy_key=")
        for name, value in values.items():
            if _is_free(name):
                continue
            if not np.allclose(value, found[kind], rtol=1e-6, atol=1e-6):
                notes.append(
                    f"'{names[kind]}' and '{name}' differ; '{names[kind]}' is used. Name the one you mean with {kind}_key="
                )
    return found, names, notes


def normalized(atoms, found, names):
    """A copy of `atoms` whose calculator holds the labels; the rest of `info` and `arrays` is kept."""
    clean = atoms.copy()
    for name in names.values():
        if not name.endswith(" (calculator)"):
            for place in _places(clean):
                place.pop(name, None)
    clean.calc = Labels(clean, **found)
    return clean


def without_labels(atoms):
    """A copy of `atoms` without a calculator and without the labels that have common names."""
    bare = atoms.copy()
    for place in _places(bare):
        for names in KEYS.values():
            for name in names:
                place.pop(name, None)
    return bare


def calculator_results(atoms):
    """Results of the attached calculator and whether they belong to another geometry."""
    calculator = atoms.calc
    results = {name: value for name, value in (getattr(calculator, "results", None) or {}).items() if value is not None}
    if not results or getattr(calculator, "atoms", None) is None:
        return results, False
    try:
        moved = bool(calculator.check_state(atoms, tol=1e-8))
    except (AttributeError, TypeError, NotImplementedError):
        moved = False
    return ({}, True) if moved else (results, False)


def available_keys(atoms):
    """Names under which `atoms` carries anything that could be a label, for an error message."""
    results, _ = calculator_results(atoms)
    names = [f"{name} (calculator)" for name in results]
    for place in _places(atoms):
        names += [name for name in place if name not in ("numbers", "positions", "key_value_pairs", "data") and name not in names]
    return names


def check_structure(atoms):
    """Raise a ValueError where a structure is no physical input: empty, not finite, no volume, atoms on top of each other."""
    if len(atoms) == 0:
        raise ValueError("The structure has no atoms.")
    check_geometry(atoms.positions, atoms.cell[:], atoms.pbc)
    closest = closest_pair(atoms, 0.1)
    if closest is not None:
        i, j, distance = closest
        where = "a periodic image of itself" if i == j else f"atom {j}"
        raise ValueError(f"Atom {i} and {where} are {distance:.3f} Å apart: atoms lie on top of each other.")


def closest_pair(atoms, distance):
    """The closest pair of atoms as `(i, j, distance)`, or None where none is closer than `distance` in Å, at most 1 Å."""
    # A radius far below the distance of atoms makes the cell list of vesin slow, not fast.
    i, j, S = neighbor_list(atoms, 1.0)
    if not len(i):
        return None
    r = np.linalg.norm(atoms.positions[j] + S @ atoms.cell[:] - atoms.positions[i], axis=-1)
    pair = int(r.argmin())
    first, second = sorted((int(i[pair]), int(j[pair])))
    return (first, second, float(r[pair])) if r[pair] < distance else None


def _is_free(name):
    return name.removesuffix(" (calculator)") in ("free_energy", "e_fr_energy")


def _places(atoms):
    """Dictionaries of an Atoms that may hold labels; a row of an ASE database nests two of them in `info`."""
    nested = [atoms.info[name] for name in ("key_value_pairs", "data") if isinstance(atoms.info.get(name), dict)]
    return [atoms.info, atoms.arrays, *nested]


def _candidates(atoms, results, names, settled):
    found = {}
    for name in names:
        # The spelling "energy (calculator)" of messages and reports is understood as well.
        plain = name.removesuffix(" (calculator)")
        if results.get(plain) is not None:
            found[f"{plain} (calculator)"] = results[plain]
        if plain != name or settled:
            continue
        for place in _places(atoms):
            if place.get(name) is not None:
                found.setdefault(name, place[name])
    # The calculator comes before info and arrays, and free energies after everything.
    order = sorted(found, key=lambda name: (_is_free(name), not name.endswith(" (calculator)")))
    return {name: found[name] for name in order}


def _checked(kind, name, raw, atoms):
    """Label as float64 in our shape and sign; None where it has no meaning; ValueError where it is broken."""
    try:
        value = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError):
        value = None
    expected = {"energy": [(), (1,), (1, 1)], "forces": [(len(atoms), 3)], "stress": [(6,), (3, 3), (9,)]}[kind]
    if value is None or value.shape not in expected:
        received = f"values of shape {value.shape}" if value is not None else f"{str(raw)[:60]!r}"
        raise ValueError(f"'{name}' is to be the {kind}, {SHAPES[kind]}, of {len(atoms)} atoms. Received {received}.")
    if not np.isfinite(value).all():
        where = f" at atom {int(np.argmin(np.isfinite(value).all(axis=-1)))}" if kind == "forces" else ""
        raise ValueError(f"'{name}' has a value that is not finite{where}. Leave the structure out, or remove the label.")
    if kind == "energy":
        return float(value.reshape(()))
    if kind == "stress":
        if value.size == 9:
            value = full_3x3_to_voigt_6_stress(value.reshape(3, 3))
        if "virial" in name.lower():
            if not atoms.pbc.all():
                return None
            value = -value / atoms.get_volume()
    return value
