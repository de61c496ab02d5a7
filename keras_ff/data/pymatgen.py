"""Conversion of structures of pymatgen and their JSON to and from `ase.Atoms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase import Atoms

from keras_ff.data.extended_xyz import ISOTOPES
from keras_ff.data.label_search import find_labels, normalized, without_labels
from keras_ff.data.label_values import KEYS, LABEL_NAMES
from keras_ff.data.layouts import check_classes, known_stress, leaves, settled_stress
from keras_ff.data.reasons import NoStructures
from keras_ff.data.units import VASP, StressConvention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import IStructure, Molecule, Structure

# Factor from stresses as VASP prints them, in kbar and positive under compression, to eV/Å³. pymatgen keeps the numbers of VASP.
VASP_STRESS = VASP.scale * VASP.sign

# The shear components of `virial_stress` in the mlearn files are in the order of VASP, xy yz xz, in some groups, and xy xz yz in
# others. A comparison with the stresses of the published qSNAP potentials shows it; for surfaces of Si and Ge it is unknown.
# Data: Zuo et al., J. Phys. Chem. A 124, 731 (2020).
MLEARN_XY_XZ_YZ = {
    **dict.fromkeys(("Si", "Ge"), ("Vacancy", "AIMD-NVT")),
    **dict.fromkeys(("Mo", "Ni", "Cu"), ("Vacancy", "AIMD-NVT", "Elastic", "Surface")),
}
MLEARN_UNKNOWN = dict.fromkeys(("Si", "Ge"), ("Surface",))


def to_atoms(item: Any, stress_factor: float | None = None) -> Atoms:
    """Structure as an `ase.Atoms` with labels, from a pymatgen object, its dict, or a record of the mlearn data sets.

    Energy, forces and stress come from the properties of the structure and its sites, from `data` of a `ComputedStructureEntry`
    (with its energy before corrections), or from `outputs` of an mlearn record.

    Args:
        item: `Structure`, `Molecule`, `ComputedStructureEntry`, a dict that one of these makes (`as_dict`), or a dict with
            `structure` and labels. An `ase.Atoms` is returned as it is, and needs no pymatgen.
        stress_factor: Factor that converts `stress` to eV/Å³, positive under tension: 1 if it is in these units already,
            `VASP_STRESS` if it is in kbar as VASP prints it. By default the layout decides: records of MatPES, MPtrj and CHGNet and
            ionic steps of VASP are in kbar, all else in eV/Å³. `virial_stress` of mlearn is always converted from kbar.

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
    factor = None if stress_factor is None else float(stress_factor)
    stress = StressConvention() if factor is None else StressConvention(abs(factor), -1.0 if factor < 0 else 1.0)
    structures = list(iter_atoms(item, stress))
    if len(structures) != 1:
        raise ValueError(f"Expected one structure, found {len(structures)} in a {type(item).__name__}. Use read for several.")
    return normalized(structures[0], *find_labels(structures[0])[:2])


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


def iter_atoms(content: Any, stress: StressConvention | None = None) -> Iterator[Atoms]:
    """Iterator over the structures of pymatgen objects, trajectories and decoded JSON, as `ase.Atoms` with labels.

    Args:
        content: Object that `to_atoms` takes, a `Trajectory`, or a list or dict of these.
        stress: Convention of the stress where it differs from that of the layout.

    Yields:
        `ase.Atoms`, with labels in `info` and `arrays`.

    Raises:
        ImportError: If pymatgen is not installed.
        ValueError: If an object holds no structure, or JSON names a class that is not read.
    """
    for leaf in leaves(content):
        yield from leaf_atoms(leaf, stress or StressConvention())


def leaf_atoms(leaf: Any, stress: StressConvention) -> Iterator[Atoms]:
    """Iterator over the structures of one of the `leaves` of decoded JSON: one, or those of a trajectory.

    Args:
        leaf: The part, or an exception, which is raised.
        stress: Convention of the stress where it differs from that of the layout.

    Yields:
        `ase.Atoms`.

    Raises:
        ImportError: If pymatgen is not installed.
        NoStructures: If it holds no structure; it is a ValueError.
    """
    if isinstance(leaf, Exception):
        raise leaf
    if isinstance(leaf, Atoms):
        yield leaf
    elif isinstance(leaf, dict):
        yield from [_record(leaf, stress)] if "structure" in leaf else leaf_atoms(_decoded(leaf), stress)
    elif type(leaf).__name__ == "Trajectory":
        for item in leaf:
            yield _plain(item, stress)
    elif getattr(leaf, "structure", None) is not None:
        data = {name: value for name, value in (getattr(leaf, "data", None) or {}).items() if name in LABEL_NAMES - ENERGIES}
        energies = {"uncorrected_energy": leaf.uncorrected_energy, "corrected_energy": leaf.energy} if _is_entry(leaf) else {}
        yield _labeled(_plain(leaf.structure, stress), {**data, **energies}, stress)
    elif hasattr(leaf, "sites"):
        yield _plain(leaf, stress)
    else:
        raise NoStructures(
            f"A {type(leaf).__name__} holds no structure. Expected pymatgen Structure, Molecule, Trajectory or "
            "ComputedStructureEntry, records with 'structure' and labels, or lists of these."
        )


ENERGIES = set(KEYS["energy"])


def _is_entry(leaf):
    return hasattr(leaf, "uncorrected_energy")


def _decoded(leaf):
    """Object of pymatgen from its dict."""
    _, decoder = _pymatgen()
    from pymatgen.core import Molecule, Structure

    check_classes(leaf)
    if "@class" not in leaf:
        return (Structure if "lattice" in leaf else Molecule).from_dict(leaf)
    decoded = decoder.process_decoded(leaf)
    if isinstance(decoded, dict):
        raise ValueError(f"The {leaf['@class']} could not be made.")
    return decoded


def _record(record, stress):
    """Atoms of a dict with a structure, labels beside it or in `outputs`, and anything else, which goes to `info`."""
    try:
        (atoms,) = leaf_atoms(record["structure"], stress)
    except NoStructures as error:
        raise ValueError(f"'structure' is none: {error}") from error
    outputs, data = record.get("outputs") or {}, record.get("data")
    if not isinstance(outputs, dict):
        raise ValueError(f"'outputs' is a dict of labels. Received {str(outputs)[:60]!r}.")
    values = {**record, **outputs}
    if str(record.get("@class")).endswith("Entry") and isinstance(data, dict):
        values |= {name: value for name, value in data.items() if name in LABEL_NAMES - ENERGIES}
    if str(record.get("@class")).endswith("Entry"):
        values["uncorrected_energy"] = values.pop("energy", None)
        correction = record.get("correction")
        if isinstance(correction, (int, float)) and isinstance(values["uncorrected_energy"], (int, float)):
            atoms.info["corrected_energy"] = values["uncorrected_energy"] + correction
    labels = {name: value for name, value in values.items() if name in LABEL_NAMES}
    atoms = _labeled(atoms, labels, stress.over(known_stress(values)))
    element, group = record.get("element"), record.get("group")
    if "virial_stress" in values and group not in MLEARN_UNKNOWN.get(element, ()):
        xx, yy, zz, xy, fifth, sixth = values["virial_stress"]
        yz, xz = (sixth, fifth) if group in MLEARN_XY_XZ_YZ.get(element, ()) else (fifth, sixth)
        atoms = _labeled(atoms, {"stress": [xx, yy, zz, yz, xz, xy]}, VASP)
    others = {
        name: value for name, value in record.items() if isinstance(value, (str, int, float, bool)) and name not in LABEL_NAMES
    }
    atoms.info.update({name: value for name, value in others.items() if not name.startswith("@")})
    return atoms


def _plain(structure, stress):
    """Atoms of a structure, whose properties are in `info` and whose site properties are in `arrays`."""
    adaptor, _ = _pymatgen()
    kinds = [getattr(site, "specie", None) for site in structure] if structure.is_ordered else []
    symbols = [getattr(getattr(kind, "element", kind), "name", None) for kind in kinds]
    if isotopes := set(symbols) & ISOTOPES.keys():
        structure = structure.copy()
        structure.replace_species(dict.fromkeys(isotopes, "H"))
    atoms = adaptor.get_atoms(structure, msonable=False)
    if isotopes:
        atoms.set_masses([ISOTOPES.get(name, mass) for name, mass in zip(symbols, atoms.get_masses(), strict=True)])
    properties = {name: atoms.info[name] for name in LABEL_NAMES if atoms.info.get(name) is not None}
    return _labeled(atoms, properties, stress.over(known_stress(properties)))


def _labeled(atoms, labels, stress):
    """The same atoms with labels in `info`, where they take the place of others of the same name; a stress is converted."""
    for name, value in labels.items():
        # An array of NumPy, as monty writes it.
        if isinstance(value, dict) and value.get("@module") == "numpy":
            value = value.get("data")
        if value is None:
            continue
        atoms.arrays.pop(name, None)
        plain = "stress" not in name.lower() or "virial" in name.lower()
        atoms.info[name] = value if plain else settled_stress(value, stress)
    return atoms


def _pymatgen():
    """The ASE adaptor of pymatgen and the JSON decoder."""
    try:
        from monty.json import MontyDecoder
        from pymatgen.io.ase import AseAtomsAdaptor
    except ImportError as error:
        raise ImportError('Structures of pymatgen and their JSON need pymatgen: pip install "keras_ff[pymatgen]"') from error
    return AseAtomsAdaptor, MontyDecoder()
