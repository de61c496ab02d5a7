"""Readers of structures with labels, from files, `ase.Atoms` and pymatgen objects."""

from __future__ import annotations

import dataclasses
import glob
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from keras_ff.data.frames import file_frames
from keras_ff.data.labels import KINDS, MissingLabel, available_keys, check_structure, find_labels, settle
from keras_ff.data.weights import label_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Patterns of the files that are read from a folder. A file given by name is read whatever it is called.
FOLDER_PATTERNS = (
    "*.xyz",
    "*.extxyz",
    "*.xyz.gz",
    "*.extxyz.gz",
    "*.db",
    "*.traj",
    "*.json",
    "*.json.gz",
    "*vasprun*.xml*",
    "*OUTCAR*",
)


@dataclasses.dataclass
class ReadReport:
    """Report about files that were read: numbers of structures and labels, names of the labels, and skipped frames.

    `print(report)` shows it as a table.

    Attributes:
        structures: Number of structures that were kept.
        labels: Dict with the number of structures that have the label "energy", "forces" and "stress".
        keys: Dict of dicts: for each label the names under which it is stored, with the number of structures.
        skipped: List of `(where, reason)` for each frame that was left out.
        notes: Dict from sentences about doubtful choices to the number of structures that they concern.
        weights: Weights other than 1 of structures and labels (see `label_weights`): their number of structures, smallest and
            largest.

    Example:
        >>> import keras_ff as kff
        >>> print(kff.data.ReadReport(structures=2))
        structures  2
        energy      0
        forces      0
        stress      0
    """

    structures: int = 0
    labels: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    keys: dict = dataclasses.field(default_factory=lambda: {kind: {} for kind in KINDS})
    skipped: list = dataclasses.field(default_factory=list)
    notes: dict = dataclasses.field(default_factory=dict)
    weights: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        lines = [f"structures  {self.structures}" + (f"  (skipped {len(self.skipped)})" if self.skipped else "")]
        for kind in KINDS:
            names = ", ".join(f"{name}: {count}" for name, count in self.keys[kind].items())
            lines.append(f"{kind:<10}  {self.labels[kind]}" + (f"  from {names}" if names else ""))
        if self.weights:
            lines.append(
                "weights     {structures} structures have other weights than 1, from {smallest:g} to {largest:g}".format(
                    **self.weights
                )
            )
        lines += [f"note        {count} structures: {note}" for note, count in self.notes.items()]
        lines += [f"skipped     {where}: {reason}" for where, reason in self.skipped]
        return "\n".join(lines)


def read(
    source: Any,
    index: str | int | slice = ":",
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    require: str | Sequence[str] = (),
    skip_bad: bool = False,
) -> list[Atoms]:
    """Structures with their labels, a list of `ase.Atoms`, read from files or taken from objects in memory.

    Energy, forces and stress are looked up in the results of an attached calculator and in `info` and `arrays` under the common
    names (`energy`, `REF_energy`, `dft_forces`, `virials`, ...). They are returned in a `SinglePointCalculator`, in eV, eV/Å and
    eV/Å³ with the sign of ASE. A structure may lack a label unless the label is in `require`. Constraints are kept, and forces are
    those without constraints.

    Args:
        source: A file in any format that ASE reads (extended XYZ, ASE database, VASP `OUTCAR` and `vasprun.xml`, ...; gzip too), a
            JSON file of pymatgen objects or of the mlearn data sets, a folder or a glob pattern of such files, an `ase.Atoms`, a
            pymatgen object, or a list of all these.
        index: Frames to take from each file, as in `ase.io.read`: a string like `"::10"`, an integer or a slice. Objects in
            memory are all taken.
        energy_key: Name of the energy; by default the common names are tried.
        forces_key: Name of the forces; by default the common names are tried.
        stress_key: Name of the stress; by default the common names are tried. A name with "virial" in it is a virial in eV.
        require: Labels that every structure must have, such as `("energy", "forces")`.
        skip_bad: Whether broken frames are left out with a warning; by default the first one raises an error.

    Returns:
        List of `ase.Atoms`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is empty, truncated or not understood, a position or a label is not finite or has the wrong shape, a
            periodic cell has no volume, or atoms lie on top of each other. The message names the file and the frame, counted from
            0.
        MissingLabel: If a label that is required or named is missing; it is a ValueError.

    Warns:
        UserWarning: If frames are skipped, or the choice among several labels is doubtful.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> dimer = Atoms("H2", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]], info={"REF_energy": -31.7})
        >>> structures = kff.data.read(dimer, require="energy")
        >>> structures[0].get_potential_energy()
        -31.7
    """
    return read_with_report(source, index, energy_key, forces_key, stress_key, require, skip_bad)[0]


def read_with_report(
    source: Any,
    index: str | int | slice = ":",
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    require: str | Sequence[str] = (),
    skip_bad: bool = False,
) -> tuple[list[Atoms], ReadReport]:
    """Structures with their labels, as from `read`, and a `ReadReport` about them.

    Args:
        source: Files or objects, see `read`.
        index: Frames to take from each file, see `read`.
        energy_key: Name of the energy, see `read`.
        forces_key: Name of the forces, see `read`.
        stress_key: Name of the stress, see `read`.
        require: Labels that every structure must have.
        skip_bad: Whether broken frames are left out with a warning.

    Returns:
        Tuple of the list of `ase.Atoms` and the `ReadReport`: names of labels, numbers of structures, and skipped frames.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file or a structure is broken, see `read`.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> structures, report = kff.data.read_with_report(Atoms("H", info={"REF_energy": -13.5}))
        >>> report.keys["energy"]
        {'REF_energy': 1}
    """
    report = ReadReport()
    structures = list(iread(source, index, energy_key, forces_key, stress_key, require, skip_bad, report))
    return structures, report


def iread(
    source: Any,
    index: str | int | slice = ":",
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    require: str | Sequence[str] = (),
    skip_bad: bool = False,
    report: ReadReport | None = None,
) -> Iterator[Atoms]:
    """Iterator over structures with their labels, as from `read`, for files larger than memory.

    Args:
        source: Files or objects, see `read`.
        index: Frames to take from each file, see `read`.
        energy_key: Name of the energy, see `read`.
        forces_key: Name of the forces, see `read`.
        stress_key: Name of the stress, see `read`.
        require: Labels that every structure must have.
        skip_bad: Whether broken frames are left out with a warning.
        report: `ReadReport` that is filled as structures are read.

    Yields:
        `ase.Atoms` with labels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file or a structure is broken, see `read`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> [len(atoms) for atoms in kff.data.iread([bulk("Si"), bulk("Si", cubic=True)])]
        [2, 8]
    """
    keys = dict(energy=energy_key, forces=forces_key, stress=stress_key)
    require = (require,) if isinstance(require, str) else tuple(require)
    if unknown := sorted(set(require) - set(KINDS)):
        raise ValueError(f"Labels are {', '.join(KINDS)}. Received require={require} with {unknown}.")
    report = ReadReport() if report is None else report
    seen = []
    for where, frame in _frames(source, index):
        try:
            if isinstance(frame, Exception):
                raise frame
            if not seen:
                seen = available_keys(frame)
            atoms = _accept(frame, keys, require, report)
        except (ValueError, OSError) as error:
            if skip_bad:
                report.skipped.append((where, str(error)))
                warnings.warn(f"Skipped {where}: {error}", stacklevel=2)
                continue
            if isinstance(error, OSError):
                raise
            kind = MissingLabel if isinstance(error, MissingLabel) else ValueError
            raise kind(f"{where}: {error} (skip_bad=True leaves such frames out.)") from error
        yield atoms
    _conclude(keys, seen, report)


def _accept(frame, keys, require, report):
    """Structure of a frame with its labels in a calculator, after it was counted in the report."""
    check_structure(frame)
    labels, names, notes = find_labels(frame, keys)
    structure, *weights = label_weights(frame).values()
    for kind in require:
        if kind not in labels:
            named = f" under the name {keys[kind]!r}" if keys[kind] else ""
            raise MissingLabel(
                f"The structure ({frame.get_chemical_formula()}) has no {kind}{named}, which is required. It has "
                f"{available_keys(frame)}. If the {kind} is one of these, name it with {kind}_key=..."
            )
    for note in notes:
        if note not in report.notes:
            warnings.warn(f"Reading structures: {note}.", stacklevel=4)
        report.notes[note] = report.notes.get(note, 0) + 1
    for kind, name in names.items():
        report.labels[kind] += 1
        report.keys[kind][name] = report.keys[kind].get(name, 0) + 1
    report.structures += 1
    weights = [structure * weight for weight in weights]
    if set(weights) != {1.0}:
        known = report.weights or {"structures": 0, "smallest": weights[0], "largest": weights[0]}
        ends = {"smallest": min(known["smallest"], *weights), "largest": max(known["largest"], *weights)}
        report.weights = {"structures": known["structures"] + 1, **ends}
    return settle(frame, labels, names)


def _conclude(keys, seen, report):
    """Raise an error if all frames were skipped, or no structure has a label that the user named."""
    if not report.structures and report.skipped:
        raise ValueError(
            f"Nothing is left: all {len(report.skipped)} frames were skipped. The first: {': '.join(report.skipped[0])}"
        )
    for kind, name in keys.items():
        if name and report.structures and not report.labels[kind]:
            raise MissingLabel(
                f"None of the {report.structures} structures has {name!r}, which was named as the {kind}. They have {seen}. "
                f"Name another with {kind}_key=..."
            )


def _frames(source, index):
    """Pairs `(where, frame)`; the frame is an `ase.Atoms`, or the exception that says what is wrong with it."""
    if isinstance(source, Atoms):
        yield "The structure", _copy(source)
    elif isinstance(source, (str, os.PathLike)):
        for path, frames in _files(os.fspath(source)):
            yield from file_frames(path, index if frames is None else frames)
    elif _is_pymatgen(source):
        from keras_ff.data import pymatgen

        for number, atoms in enumerate(pymatgen.iter_atoms(source)):
            yield f"Structure {number}", atoms
    elif hasattr(source, "__iter__") and not isinstance(source, dict):
        number = 0
        for item in source:
            if isinstance(item, Atoms):
                yield f"Structure {number}", _copy(item)
                number += 1
            else:
                for where, frame in _frames(item, index):
                    yield where if isinstance(item, (str, os.PathLike)) else f"Structure {number}", frame
                    number += 1
    else:
        raise TypeError(
            "Structures come from a path, an ase.Atoms, a pymatgen object or a list of these. "
            f"Received {type(source).__module__}.{type(source).__name__}."
        )


def _copy(atoms):
    """Copy of a structure with the same calculator."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _is_pymatgen(item):
    return any(base.__module__.split(".")[0] == "pymatgen" for base in type(item).__mro__)


def _files(name):
    """Pairs of a path and the frames that a user selects as `path@frames`, or None."""
    if not os.path.exists(name) and "@" in name and os.path.exists(name.rpartition("@")[0]):
        path, _, frames = name.rpartition("@")
        return [(Path(path), frames)]
    if os.path.isdir(name):
        paths = sorted({path for pattern in FOLDER_PATTERNS for path in Path(name).rglob(pattern) if path.is_file()})
        xml = {path.parent for path in paths if "vasprun" in path.name}
        twice = [path for path in paths if "OUTCAR" in path.name and path.parent in xml]
        if twice:
            warnings.warn(f"{twice[0]} and {len(twice) - 1} more are left out: the vasprun.xml beside them is read.", stacklevel=2)
        paths = [path for path in paths if path not in twice]
        if not paths:
            raise ValueError(f"The folder {name} has no files of structures. Looked for {', '.join(FOLDER_PATTERNS)}.")
    elif os.path.exists(name):
        paths = [Path(name)]
    else:
        paths = sorted(Path(path) for path in glob.glob(name, recursive=True))
        if not paths:
            raise FileNotFoundError(f"There is no file, folder or glob pattern {name!r} (in {os.getcwd()}).")
    return [(path, None) for path in paths]
