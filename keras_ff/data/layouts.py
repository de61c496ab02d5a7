"""Layouts of decoded JSON with structures: which objects hold one, the units of their stress, and classes that may be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_ff.data.reasons import NoStructures
from keras_ff.data.units import VASP, StressConvention
from keras_ff.data.vasp import UNCONVERGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Classes that JSON may name. monty would import whatever module a file names, and call what it finds there.
CLASSES = {
    "pymatgen.core": (
        ("Structure", "IStructure", "Molecule", "IMolecule", "Lattice", "PeriodicSite", "Site", "Element", "Species", "Specie")
        + ("DummySpecies", "DummySpecie", "Composition", "Trajectory")
    ),
    "pymatgen.electronic_structure.core": ("Magmom", "Spin"),
    "pymatgen.io.ase": ("MSONAtoms",),
    "numpy": ("array",),
    "datetime": ("datetime",),
}

# Data whose stress is that of VASP, in kbar and positive under compression: records of MatPES (https://matpes.ai/dataset; six
# numbers xx, yy, zz, yz, xz, xy), of MPtrj and CHGNet (https://github.com/CederGroupHub/chgnet/issues/228; 3x3), and ionic steps
# of pymatgen's Vasprun (3x3).
FROM_VASP = {"matpes_id", "uncorrected_total_energy", "corrected_total_energy", "e_0_energy", "e_fr_energy", "e_wo_entrp"}


def leaves(content: Any, keep_unconverged: bool = False) -> Iterator[Any]:
    """Iterator over the parts of decoded JSON that may hold a structure, in their order.

    Args:
        content: Decoded JSON, pymatgen objects, or lists and dicts of these.
        keep_unconverged: Whether ionic steps of VASP are kept whose electronic steps did not converge.

    Yields:
        A record (a dict with "structure"), a dict of pymatgen, an object, or the reason why a record is left out.
    """
    if isinstance(content, (list, tuple)):
        for item in content:
            yield from leaves(item, keep_unconverged)
    elif not isinstance(content, dict):
        yield content
    elif isinstance(content.get("calcs_reversed"), list):
        yield from leaves(content["calcs_reversed"][::-1], keep_unconverged)
    elif isinstance(content.get("output"), dict) and isinstance(content["output"].get("ionic_steps"), list):
        yield from _steps(content, keep_unconverged)
    elif isinstance(content.get("structure"), list):
        yield from _rows(content)
    elif content.keys() & {"structure", "sites", "@class", "@callable"}:
        yield content
    else:
        for item in content.values():
            yield from leaves(item, keep_unconverged)


def known_stress(record: Mapping[str, Any]) -> StressConvention:
    """Convention of the stress of a record, as far as its layout says.

    Args:
        record: Labels of a structure by name.
    """
    return VASP if FROM_VASP & record.keys() else StressConvention()


def settled_stress(value: Any, convention: StressConvention) -> Any:
    """Stress in eV/Å³ with the sign and order of ASE; what has not the shape of a stress is returned as it is.

    Args:
        value: What a record has.
        convention: Its convention.
    """
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return value
    return convention.apply(numbers) if numbers.shape in ((6,), (9,), (3, 3)) else value


def check_classes(content: Any) -> None:
    """Raise an error if JSON names a class that may not be made.

    Args:
        content: Decoded JSON.

    Raises:
        NoStructures: If it does; it is a ValueError.
    """
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if "@module" in item or "@class" in item or "@callable" in item:
                _check_class(item)
            todo += item.values()
        elif isinstance(item, list):
            todo += item


def _check_class(item):
    module, name = str(item.get("@module", "pymatgen.core")), str(item.get("@callable", item.get("@class")))
    known = next((names for home, names in CLASSES.items() if f"{module}.".startswith(f"{home}.")), ())
    if "@callable" in item or name not in known:
        raise NoStructures(
            f"The JSON asks for {name!r} of the module {module!r}. Structures, molecules and trajectories of pymatgen are read, "
            "and entries and records with one."
        )


def _steps(content, keep_unconverged):
    """Ionic steps of a Vasprun, or of a calculation of a task document."""
    inputs = content.get("input")
    limits = [part.get("NELM") for name in ("parameters", "incar") if isinstance(part := (inputs or {}).get(name), dict)]
    limit = next((limit for limit in limits if isinstance(limit, int)), 0)
    for step in content["output"]["ionic_steps"]:
        done = step.get("electronic_steps") if isinstance(step, dict) else None
        unconverged = isinstance(done, list) and 1 < limit <= len(done)
        yield UNCONVERGED if unconverged and not keep_unconverged else step


def _rows(columns):
    """Records of a dict of lists, one for each structure, as CHGNet writes data sets."""
    count = len(columns["structure"])
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    if different := [name for name, values in lists.items() if len(values) != count]:
        raise ValueError(f"'structure' has {count} items, but {different[0]!r} has {len(lists[different[0]])}.")
    rest = {name: value for name, value in columns.items() if name not in lists}
    for index in range(count):
        yield {**rest, **{name: values[index] for name, values in lists.items()}}
