"""Structures with labels from files, `ase.Atoms` and pymatgen objects."""

import dataclasses
import glob
import gzip
import io
import itertools
import json
import os
import warnings
from pathlib import Path

import ase.db
import ase.io
from ase import Atoms
from ase.io.extxyz import read_xyz
from ase.io.formats import UnknownFileTypeError, filetype, string2index

from keras_ff.data.labels import KINDS, MissingLabel, available_keys, check_structure, find_labels, settle

# What is read from a folder. A file given by name is read whatever it is called.
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
    """What `read_with_report` has read, found and skipped.

    Attributes:
        structures: Number of structures that were kept.
        labels: Number of structures that have each label.
        keys: For each label, under which names it was found and how often.
        skipped: List of `(where, reason)` for each frame that was left out.
        notes: Sentences about choices, with the number of structures they concern.
    """

    structures: int = 0
    labels: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    keys: dict = dataclasses.field(default_factory=lambda: {kind: {} for kind in KINDS})
    skipped: list = dataclasses.field(default_factory=list)
    notes: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        lines = [f"structures  {self.structures}" + (f"  (skipped {len(self.skipped)})" if self.skipped else "")]
        for kind in KINDS:
            names = ", ".join(f"{name}: {count}" for name, count in self.keys[kind].items())
            lines.append(f"{kind:<10}  {self.labels[kind]}" + (f"  from {names}" if names else ""))
        lines += [f"note        {count} structures: {note}" for note, count in self.notes.items()]
        lines += [f"skipped     {where}: {reason}" for where, reason in self.skipped]
        return "\n".join(lines)


def read(source, index=":", energy_key=None, forces_key=None, stress_key=None, require=(), skip_bad=False):
    """Structures with their labels as a list of `ase.Atoms`.

    Energy, forces and stress are looked for in the results of an attached calculator and in `info` and `arrays` under the common
    names (`energy`, `REF_energy`, `dft_forces`, `virials`, ...), and come out in one place: a `SinglePointCalculator`, in eV, eV/Å
    and eV/Å³ with the sign of ASE. A structure without a label is fine unless the label is in `require`. Constraints are kept,
    forces are raw.

    Args:
        source: A file in any format that ASE reads (extended XYZ, ASE database, VASP `OUTCAR` and `vasprun.xml`, ...; gzip too), a
            JSON file of pymatgen objects or of the mlearn data sets, a folder or a glob pattern of such files, an `ase.Atoms`, a
            pymatgen object, or a list of all these.
        index: Frames to take from each file, as in `ase.io.read`: a string like `"::10"`, an integer or a slice. Objects in
            memory are all taken.
        energy_key: Name of the energy, if the common names are not meant. The same for `forces_key` and `stress_key`; a name with
            "virial" in it is a virial in eV.
        require: Labels that every structure must have, such as `("energy", "forces")`.
        skip_bad: Leave broken frames out with a warning instead of stopping at the first.

    Returns:
        List of `ase.Atoms`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is empty, truncated or not understood, a position or a label is not finite or has the wrong shape, a
            periodic cell has no volume, atoms lie on top of each other, or a label that was asked for is missing. The message names
            the file and the frame, counted from 0.
    """
    return read_with_report(source, index, energy_key, forces_key, stress_key, require, skip_bad)[0]


def read_with_report(source, index=":", energy_key=None, forces_key=None, stress_key=None, require=(), skip_bad=False):
    """The structures of `read` and a `ReadReport`: what was found under which names, and what was skipped and why."""
    report = ReadReport()
    structures = list(iread(source, index, energy_key, forces_key, stress_key, require, skip_bad, report))
    return structures, report


def iread(source, index=":", energy_key=None, forces_key=None, stress_key=None, require=(), skip_bad=False, report=None):
    """The structures of `read` one by one, for files larger than memory. A `ReadReport` given as `report` is filled on the way."""
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
    """The frame with its labels in one place, counted in the report."""
    check_structure(frame)
    found, names, notes = find_labels(frame, keys)
    for kind in require:
        if kind not in found:
            wanted = f" under the name {keys[kind]!r}" if keys[kind] else ""
            raise MissingLabel(
                f"The structure ({frame.get_chemical_formula()}) has no {kind}{wanted}, which is required. It carries "
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
    return settle(frame, found, names)


def _conclude(keys, seen, report):
    if not report.structures and report.skipped:
        raise ValueError(
            f"Nothing is left: all {len(report.skipped)} frames were skipped. The first: {': '.join(report.skipped[0])}"
        )
    for kind, name in keys.items():
        if name and report.structures and not report.labels[kind]:
            raise MissingLabel(
                f"None of the {report.structures} structures has {name!r}, which was named as the {kind}. They carry {seen}. "
                f"Name another with {kind}_key=..."
            )


def _frames(source, index):
    """Pairs `(where, frame)`; the frame is an `ase.Atoms`, or the exception that took its place."""
    if isinstance(source, Atoms):
        yield "The structure", _copy(source)
    elif isinstance(source, (str, os.PathLike)):
        for path, frames in _files(os.fspath(source)):
            yield from _file_frames(path, index if frames is None else frames)
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
    """A structure that may be changed, with the calculator of the other."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _is_pymatgen(item):
    return any(base.__module__.split(".")[0] == "pymatgen" for base in type(item).__mro__)


def _files(name):
    """Pairs of a path and the frames asked for with `path@frames`, or None."""
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


def _file_frames(path, index):
    if path.stat().st_size == 0:
        yield str(path), ValueError("The file is empty.")
        return
    suffixes = "".join(path.suffixes[-2:]).removesuffix(".gz")
    if suffixes.endswith((".xyz", ".extxyz")):
        numbered = _xyz_frames(path)
    elif suffixes.endswith(".json"):
        numbered = _json_frames(path)
    else:
        numbered = _ase_frames(path)
    nothing = True
    for number, frame in _select(numbered, index):
        nothing = False
        yield f"{path}, frame {number}", frame
    if nothing:
        yield str(path), ValueError(f"The file has no structures at index={index!r}.")


def _select(numbered, index):
    """The frames that `index` names; one pass without storing them where no index counts from the end."""
    index = string2index(index) if isinstance(index, str) else index
    part = index if isinstance(index, slice) else slice(index, index + 1 or None)
    values = (part.start or 0, part.stop or 0, part.step or 1)
    if min(values) < 0:
        yield from list(numbered)[part]
        return
    for number, frame in numbered:
        if part.stop is not None and number >= part.stop:
            return
        if number >= values[0] and (number - values[0]) % values[2] == 0:
            yield number, frame


def _open(path):
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8")


def _xyz_frames(path):
    """Frames of an (extended) XYZ file, cut out one by one so that a broken frame is known by its number."""
    with _open(path) as file:
        number, lines = 0, file
        try:
            while (first := next(lines, None)) is not None:
                if not first.strip():
                    continue
                if not first.strip().isdigit():
                    yield number, ValueError(f"Expected the number of atoms, found {first.strip()[:60]!r}.")
                    for first in lines:
                        if first.strip().isdigit():
                            lines = itertools.chain([first], lines)
                            break
                else:
                    frame, lines = _xyz_lines(lines, int(first))
                    yield number, _xyz_frame(first, frame)
                number += 1
        except (OSError, EOFError, UnicodeDecodeError) as error:
            yield number, ValueError(f"The file is truncated or damaged: {error}")


def _xyz_lines(lines, n_atoms):
    """Comment and atoms of a frame, and what follows: where the frame ends too early, from the first line of the next one."""
    frame = list(itertools.islice(lines, n_atoms + 1))
    for index, line in enumerate(frame):
        # Lines of atoms have blanks between their columns.
        if index and (line.isspace() or line.strip().isdigit()):
            return frame[:index], itertools.chain(frame[index + line.isspace() :], lines)
    return frame, lines


def _xyz_frame(first, lines):
    """Atoms of a frame, or the exception that says what is wrong with it."""
    n_atoms = int(first)
    if len(lines) <= n_atoms:
        return ValueError(f"The frame is truncated: it announces {n_atoms} atoms, but {len(lines) - 1} lines of atoms follow.")
    try:
        return next(read_xyz(io.StringIO(first + "".join(lines)), 0))
    except Exception as error:  # ASE raises whatever the parser ran into.
        return ValueError(f"The frame is truncated or not understood as extended XYZ: {error}")


def _json_frames(path):
    """Frames of a JSON file: pymatgen objects, the mlearn data sets, or an ASE database."""
    try:
        with _open(path) as file:
            content = json.load(file)
    except (ValueError, EOFError, OSError) as error:
        yield 0, ValueError(f"The file is truncated or not JSON: {error}")
        return
    if isinstance(content, dict) and "nextid" in content and "ids" in content:
        yield from _ase_frames(path)
        return
    from keras_ff.data import pymatgen

    number = 0
    try:
        for number, atoms in enumerate(pymatgen.iter_atoms(content)):
            yield number, atoms
    except ValueError as error:
        yield number, error


def _ase_frames(path):
    """Frames of any other file that ASE reads."""
    number = 0
    try:
        if path.suffix == ".db":
            with ase.db.connect(path) as database:
                for row in database.select():
                    yield number, row.toatoms(add_additional_information=True)
                    number += 1
            return
        finished = _vasp_finished(path)
        for atoms in ase.io.iread(str(path), index=":", do_not_split_by_at_sign=True):
            # Of a run that died before its first energy, ASE gives the initial structure.
            if finished or atoms.calc is not None:
                yield number, atoms
                number += 1
        if not finished:
            yield number, ValueError(f"The file is truncated: VASP did not finish. {number} complete frames stand before it.")
    except UnknownFileTypeError:
        yield (
            number,
            ValueError(
                "The format of the file is not known to ASE. Give extended XYZ, an ASE database, VASP output or pymatgen JSON."
            ),
        )
    except Exception as error:  # ASE raises whatever the parser ran into.
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        yield (
            number,
            ValueError(f"The file is truncated or not understood as {_format_name(path)} ({text}). The frames after it are lost."),
        )


def _vasp_finished(path):
    """False for the output of a VASP run that was cut off; True for all else."""
    mark = {"vasp-out": "General timing and accounting", "vasp-xml": "</modeling>"}.get(_format_name(path))
    if mark is None:
        return True
    last = ""
    with _open(path) as file:
        while part := file.read(2**20):
            last = last[-10000:] + part
    return mark in last[-20000:]


def _format_name(path):
    try:
        return filetype(str(path))
    except Exception:
        return "a file of structures"
