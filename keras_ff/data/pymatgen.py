"""Conversion of structures of pymatgen and their JSON to and from `ase.Atoms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from keras_ff.data.labels import KEYS, find_labels, without_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import IStructure, Molecule, Structure

# Factor from stresses as VASP prints them, in kbar and positive under compression, to eV/Å³. pymatgen keeps the numbers of VASP.
VASP_STRESS = -0.1 * GPa

# Modules whose objects a JSON file may name; monty would import any other as well.
TRUSTED = ("pymatgen", "numpy", "monty", "ase", "datetime")

# The shear components of `virial_stress` in the mlearn files are in the order of VASP, xy yz xz, in some groups, and xy xz yz in
# others. A comparison with the stresses of the published qSNAP potentials shows it; for surfaces of Si and Ge it is unknown.
# Data: Zuo et al., J. Phys. Chem. A 124, 731 (2020).
MLEARN_XY_XZ_YZ = {
    **dict.fromkeys(("Si", "Ge"), ("Vacancy", "AIMD-NVT")),
    **dict.fromkeys(("Mo", "Ni", "Cu"), ("Vacancy", "AIMD-NVT", "Elastic", "Surface")),
}
MLEARN_UNKNOWN = dict.fromkeys(("Si", "Ge"), ("Surface",))


def to_atoms(item: Any, stress_factor: float = 1.0) -> Atoms:
    """Structure as an `ase.Atoms` with labels, from a pymatgen object, its dict, or a record of the mlearn data sets.

    Energy, forces and stress come from the properties of the structure and its sites, from `data` of a `ComputedStructureEntry`
    (with its energy before corrections), or from `outputs` of an mlearn record.

    Args:
        item: `Structure`, `Molecule`, `ComputedStructureEntry`, a dict that one of these makes (`as_dict`), or a dict with
            `structure` and labels. An `ase.Atoms` is returned as it is, and needs no pymatgen.
        stress_factor: Factor that converts `stress` to eV/Å³, positive under tension: 1 if it is in these units already,
            `VASP_STRESS` if it is in kbar as VASP prints it. `virial_stress` of mlearn is always converted from kbar.

    Returns:
        The structure.

    Raises:
        ImportError: If pymatgen is not installed.
        ValueError: If the object has no structure, several, or a disordered one.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> silicon = bulk("Si")
        >>> kff.data.to_atoms(silicon) is silicon
        True
    """
    if isinstance(item, Atoms):
        return item
    structures = list(iter_atoms(item, stress_factor))
    if len(structures) != 1:
        raise ValueError(f"Expected one structure, found {len(structures)} in a {type(item).__name__}. Use iter_atoms for several.")
    return structures[0]


def to_structure(atoms: Atoms) -> Structure | IStructure | Molecule:
    """Structure of pymatgen with the labels of an `ase.Atoms`; a `Molecule` if no direction is periodic.

    The energy (eV) and the stress (eV/Å³, xx, yy, zz, yz, xz, xy, positive under tension) are in `properties`, the forces (eV/Å) in
    `site_properties`, as lists that can be written to JSON. `to_atoms` reads them there.

    Args:
        atoms: The structure, with or without labels.

    Returns:
        `Structure` or `Molecule` of pymatgen.

    Raises:
        ImportError: If pymatgen is not installed.

    Example:
        ::

            structure = kff.data.to_structure(atoms)
            structure.properties["energy"], structure.site_properties["forces"]
    """
    adaptor, _ = _pymatgen()
    labels, _, _ = find_labels(atoms)
    bare = without_labels(atoms)
    structure = adaptor.get_structure(bare) if atoms.pbc.any() else adaptor.get_molecule(bare)
    if "energy" in labels:
        structure.properties["energy"] = labels["energy"]
    if "stress" in labels:
        structure.properties["stress"] = labels["stress"].tolist()
    if "forces" in labels:
        structure.add_site_property("forces", labels["forces"].tolist())
    return structure


def iter_atoms(content: Any, stress_factor: float = 1.0) -> Iterator[Atoms]:
    """Iterator over the structures of pymatgen objects, trajectories and decoded JSON, as `ase.Atoms` with labels.

    Args:
        content: Object that `to_atoms` takes, a `Trajectory`, or a list or dict of these.
        stress_factor: Factor that converts `stress` to eV/Å³, positive under tension, see `to_atoms`.

    Yields:
        `ase.Atoms`.

    Raises:
        ImportError: If pymatgen is not installed.
        ValueError: If an object holds no structure, or JSON names a class that is none of pymatgen, NumPy or ASE.
    """
    adaptor, decoder = _pymatgen()
    if isinstance(content, dict) and "@class" in content:
        _check_modules(content)
        content = decoder.process_decoded(content)
    if isinstance(content, Atoms):
        yield content
    elif isinstance(content, dict) and "structure" in content:
        yield _record(content, stress_factor)
    elif isinstance(content, (list, tuple)):
        for item in content:
            yield from iter_atoms(item, stress_factor)
    elif isinstance(content, dict):
        for item in content.values():
            yield from iter_atoms(item, stress_factor)
    elif type(content).__name__ == "Trajectory":
        for item in content:
            yield from iter_atoms(item, stress_factor)
    elif getattr(content, "structure", None) is not None:
        labels = {"energy": content.uncorrected_energy} if hasattr(content, "uncorrected_energy") else {}
        data = {name: value for name, value in (getattr(content, "data", None) or {}).items() if name in LABEL_NAMES}
        yield _labeled(_plain(adaptor, content.structure, stress_factor), {**data, **labels}, stress_factor)
    elif hasattr(content, "sites"):
        yield _plain(adaptor, content, stress_factor)
    else:
        raise ValueError(
            f"A {type(content).__name__} holds no structure. Expected pymatgen Structure, Molecule, Trajectory or "
            "ComputedStructureEntry, records with 'structure' and labels, or lists of these."
        )


LABEL_NAMES = {name for names in KEYS.values() for name in names}


def _record(record, stress_factor):
    """Atoms of a dict with a structure, labels beside it or in `outputs`, and anything else, which goes to `info`."""
    atoms = to_atoms(record["structure"], stress_factor)
    values = {**record, **(record.get("outputs") or {})}
    labels = {name: value for name, value in values.items() if name in LABEL_NAMES}
    element, group = record.get("element"), record.get("group")
    atoms = _labeled(atoms, labels, stress_factor)
    if "virial_stress" in values and group not in MLEARN_UNKNOWN.get(element, ()):
        xx, yy, zz, xy, fifth, sixth = values["virial_stress"]
        yz, xz = (sixth, fifth) if group in MLEARN_XY_XZ_YZ.get(element, ()) else (fifth, sixth)
        atoms = _labeled(atoms, {"stress": [xx, yy, zz, yz, xz, xy]}, VASP_STRESS)
    others = {
        name: value for name, value in record.items() if isinstance(value, (str, int, float, bool)) and name not in LABEL_NAMES
    }
    atoms.info.update(others)
    return atoms


def _plain(adaptor, structure, stress_factor):
    """Atoms of a structure, whose properties are in `info` and whose site properties are in `arrays`."""
    atoms = adaptor.get_atoms(structure, msonable=False)
    for name in LABEL_NAMES:
        if "stress" in name.lower() and atoms.info.get(name) is not None:
            atoms.info[name] = np.asarray(atoms.info[name], dtype=np.float64) * stress_factor
    return atoms


def _labeled(atoms, labels, stress_factor):
    """Atoms with `labels` added to the results of the calculator; a stress is scaled and in the order of ASE."""
    results = dict(getattr(atoms.calc, "results", None) or {})
    for kind, names in KEYS.items():
        values = [labels[name] for name in names if labels.get(name) is not None and "virial" not in name.lower()]
        if values:
            results[kind] = np.asarray(values[0], dtype=np.float64) * (stress_factor if kind == "stress" else 1.0)
    if results:
        atoms.calc = SinglePointCalculator(atoms)
        atoms.calc.results.update(results)
    return atoms


def _check_modules(content):
    """Raise a ValueError if JSON names a class of a module that is not trusted."""
    if isinstance(content, dict):
        module = str(content.get("@module", "pymatgen"))
        if module.split(".")[0] not in TRUSTED:
            raise ValueError(f"The JSON asks for an object of the module {module!r}; only {', '.join(TRUSTED)} are read.")
        content = list(content.values())
    for value in content:
        if isinstance(value, (dict, list)):
            _check_modules(value)


def _pymatgen():
    """The ASE adaptor of pymatgen and the JSON decoder."""
    try:
        from monty.json import MontyDecoder
        from pymatgen.io.ase import AseAtomsAdaptor
    except ImportError as error:
        raise ImportError('Structures of pymatgen and their JSON need pymatgen: pip install "keras_ff[pymatgen]"') from error
    return AseAtomsAdaptor, MontyDecoder()
