"""Readers of structures with labels, from files, `ase.Atoms` and pymatgen objects."""

from __future__ import annotations

import dataclasses
import os
import warnings
from typing import TYPE_CHECKING, Any

from ase import Atoms

from keras_ff.data.frames import file_frames
from keras_ff.data.label_search import KINDS, MissingLabel, available_keys, check_structure, find_labels, settle
from keras_ff.data.reasons import LeftOut, NoStructures
from keras_ff.data.sources import files_of, is_passed_over
from keras_ff.data.units import StressConvention
from keras_ff.data.weights import label_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
        lines += [f"note        {count} x {note}" for note, count in self.notes.items()]
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
    stress_unit: str | None = None,
    stress_sign: str | None = None,
    stress_order: str | None = None,
    keep_unconverged: bool = False,
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
        stress_unit: Unit of the stress where the format does not say it: "eV/A3" (the default), "GPa", "kbar", ...
        stress_sign: "tension" or "compression", under which the stress is positive; by default tension, as in ASE.
        stress_order: Order of the last three of six numbers, such as "xy yz xz" of VASP; by default "yz xz xy", as in ASE.
        keep_unconverged: Whether ionic steps of VASP are kept whose electronic steps did not converge; by default they are left
            out with a note.

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
    keys = (energy_key, forces_key, stress_key)
    return read_with_report(source, index, *keys, require, skip_bad, stress_unit, stress_sign, stress_order, keep_unconverged)[0]


def read_with_report(
    source: Any,
    index: str | int | slice = ":",
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    require: str | Sequence[str] = (),
    skip_bad: bool = False,
    stress_unit: str | None = None,
    stress_sign: str | None = None,
    stress_order: str | None = None,
    keep_unconverged: bool = False,
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
        stress_unit: Unit of the stress, see `read`.
        stress_sign: Sign of the stress, see `read`.
        stress_order: Order of the stress, see `read`.
        keep_unconverged: Whether ionic steps of VASP are kept that did not converge, see `read`.

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
    keys, convention = (energy_key, forces_key, stress_key), (stress_unit, stress_sign, stress_order)
    structures = list(iread(source, index, *keys, require, skip_bad, report, *convention, keep_unconverged))
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
    stress_unit: str | None = None,
    stress_sign: str | None = None,
    stress_order: str | None = None,
    keep_unconverged: bool = False,
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
        stress_unit: Unit of the stress, see `read`.
        stress_sign: Sign of the stress, see `read`.
        stress_order: Order of the stress, see `read`.
        keep_unconverged: Whether ionic steps of VASP are kept that did not converge, see `read`.

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
    stress = StressConvention.named(stress_unit, stress_sign, stress_order)
    seen = []
    for where, frame, unsettled in _frames(source, index, stress, keep_unconverged):
        if isinstance(frame, LeftOut):
            _note(report, str(frame))
            continue
        try:
            if isinstance(frame, Exception):
                raise frame
            if not seen:
                seen = available_keys(frame)
            atoms = _accept(frame, keys, require, report, unsettled)
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


def _accept(frame, keys, require, report, stress):
    """Structure of a frame with its labels in a calculator, after it was counted in the report."""
    check_structure(frame)
    labels, names, notes = find_labels(frame, keys, stress)
    structure, *weights = label_weights(frame).values()
    for kind in require:
        if kind not in labels:
            named = f" under the name {keys[kind]!r}" if keys[kind] else ""
            raise MissingLabel(
                f"The structure ({frame.get_chemical_formula()}) has no {kind}{named}, which is required. It has "
                f"{available_keys(frame)}. If the {kind} is one of these, name it with {kind}_key=..."
            )
    for note in notes:
        _note(report, note)
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


def _note(report, note):
    if note not in report.notes:
        warnings.warn(f"Reading structures: {note}.", stacklevel=4)
    report.notes[note] = report.notes.get(note, 0) + 1


def _conclude(keys, seen, report):
    """Raise an error if all frames were skipped, or no structure has a label that the user named."""
    if not report.structures and report.skipped:
        raise ValueError(
            f"Nothing is left: all {len(report.skipped)} frames were skipped. The first: {': '.join(report.skipped[0])}"
        )
    if not report.structures and report.notes:
        raise ValueError(f"Nothing is left: {'; '.join(report.notes)}.")
    for kind, name in keys.items():
        if name and report.structures and not report.labels[kind]:
            raise MissingLabel(
                f"None of the {report.structures} structures has {name!r}, which was named as the {kind}. They have {seen}. "
                f"Name another with {kind}_key=..."
            )


def _frames(source, index, stress, keep_unconverged):
    """Tuples of where a frame is, an `ase.Atoms` or the exception that says why it is none, and the convention of its stress."""
    if isinstance(source, Atoms):
        yield "The structure", _copy(source), stress
    elif isinstance(source, (str, os.PathLike)):
        yield from _frames_of_files(os.fspath(source), index, stress, keep_unconverged)
    elif is_pymatgen(source):
        from keras_ff.data import pymatgen

        for number, atoms in enumerate(pymatgen.iter_atoms(source, stress)):
            yield f"Structure {number}", atoms, StressConvention()
    elif hasattr(source, "__iter__") and not isinstance(source, dict):
        number = 0
        for item in source:
            if isinstance(item, Atoms):
                yield f"Structure {number}", _copy(item), stress
                number += 1
            else:
                for where, *frame in _frames(item, index, stress, keep_unconverged):
                    yield where if isinstance(item, (str, os.PathLike)) else f"Structure {number}", *frame
                    number += 1
    else:
        raise TypeError(
            "Structures come from a path, an ase.Atoms, a pymatgen object or a list of these. "
            f"Received {type(source).__module__}.{type(source).__name__}."
        )


def _frames_of_files(name, index, stress, keep_unconverged):
    paths, in_folder = files_of(name)
    for path, frames in paths:
        if in_folder and is_passed_over(path):
            yield str(path), LeftOut(f"{path.name} is passed over: it belongs to a workflow, and holds no results"), stress
            continue
        for where, frame, unsettled in file_frames(path, index if frames is None else frames, stress, keep_unconverged):
            if in_folder and isinstance(frame, NoStructures):
                frame = LeftOut(f"{path.name} is passed over: it holds no structures")
            yield where, frame, unsettled


def _copy(atoms):
    """Copy of a structure with the same calculator."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def is_pymatgen(item: Any) -> bool:
    """Whether an object is one of pymatgen, which need not be imported.

    Args:
        item: Any object.
    """
    return any(base.__module__.split(".")[0] == "pymatgen" for base in type(item).__mro__)
