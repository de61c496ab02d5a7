"""Frames of files of structures: extended XYZ, JSON, ASE databases, VASP output and all else that ASE reads."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import ase.db
import ase.io
from ase.io.formats import UnknownFileTypeError, filetype, string2index

from keras_ff.data.extended_xyz import element, xyz_frames
from keras_ff.data.json_files import json_frames
from keras_ff.data.units import StressConvention
from keras_ff.data.vasp import OUTCAR, VASPRUN, outcar_frames, vasprun_frames
from keras_ff.files.text import check_regular, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ase import Atoms


def file_frames(
    path: Path, index: str | int | slice, stress: StressConvention | None = None, keep_unconverged: bool = False
) -> Iterator[tuple[str, Atoms | Exception, StressConvention]]:
    """Iterator over the frames of one file of structures, in any format that keras_ff reads.

    Args:
        path: Path of the file.
        index: Frames to take, as in `ase.io.read`.
        stress: Convention of the stress, where the format does not say it.
        keep_unconverged: Whether ionic steps of VASP are kept whose electronic steps did not converge.

    Yields:
        Tuples `(where, frame, stress)`: the file and the number of the frame for messages; an `ase.Atoms` or, for a broken frame,
        the exception that says what is wrong; and the convention that the stress of the frame still has.
    """
    settled, stress = StressConvention(), stress or StressConvention()
    try:
        check_regular(path)
        wanted = _slice(index)
    except ValueError as error:
        yield str(path), error, settled
        return
    if path.stat().st_size == 0:
        yield str(path), ValueError("The file is empty."), settled
        return
    numbered, stress = _reader(path, stress, keep_unconverged)
    nothing = True
    for number, frame in _select(numbered, wanted):
        nothing = False
        yield f"{path}, frame {number}", frame, stress
    if nothing:
        yield str(path), ValueError(f"The file has no structures at index={index!r}."), settled


def _reader(path, stress, keep_unconverged):
    """Iterator over the numbered frames of a file, and the convention that their stress still has."""
    suffixes = "".join(path.suffixes[-2:]).removesuffix(".gz")
    if suffixes.endswith((".xyz", ".extxyz")):
        return xyz_frames(path), stress
    if suffixes.endswith((".json", ".jsonl")):
        numbered = json_frames(path, stress, keep_unconverged)
        return (_guarded(_frames_of_ase(path), path), stress) if numbered is None else (numbered, StressConvention())
    if path.suffix == ".db":
        return _guarded(_database_frames(path), path), stress
    kind = _format_name(path)
    if kind == "vasp-xml" or VASPRUN.search(path.name):
        return _guarded(vasprun_frames(path, keep_unconverged), path), StressConvention()
    if kind == "vasp-out" or OUTCAR.search(path.name):
        return _guarded(outcar_frames(path, keep_unconverged), path), StressConvention()
    return _guarded(_poscar_frames(path) if kind == "vasp" else _frames_of_ase(path), path), stress


def _frames_of_ase(path):
    yield from enumerate(ase.io.iread(str(path), index=":", do_not_split_by_at_sign=True))


def _slice(index):
    index = string2index(index) if isinstance(index, str) else index
    if isinstance(index, slice) and index.step != 0:
        return index
    if isinstance(index, int):
        return slice(index, index + 1 or None)
    raise ValueError(f"Frames are an integer or start:stop:step. Received {str(index)[:60]!r}.")


def _select(numbered, frames):
    """The frames that a slice names; one pass without storing them where no index counts from the end."""
    values = (frames.start or 0, frames.stop or 0, frames.step or 1)
    if min(values) < 0:
        yield from list(numbered)[frames]
        return
    for number, frame in numbered:
        if frames.stop is not None and number >= frames.stop:
            return
        if number >= values[0] and (number - values[0]) % values[2] == 0:
            yield number, frame


def _database_frames(path):
    with ase.db.connect(path) as database:
        for number, row in enumerate(database.select()):
            yield number, row.toatoms(add_additional_information=True)


def _poscar_frames(path):
    """The structure of a POSCAR, if it has a line for each of its atoms; labels such as Si_pv and D are understood."""
    lines = read_text(path).splitlines()
    words = [line.split() for line in lines[5:7]]
    counts = next((line for line in words if line and all(re.fullmatch(r"\d{1,12}", word) for word in line)), ())
    if sum(map(int, counts)) > len(lines):
        raise ValueError(f"it announces {sum(map(int, counts))} atoms, but has {len(lines)} lines")
    masses = []
    if words and words[0] and not words[0][0][0].isdigit():
        elements = [element(word) for word in words[0]]
        lines[5] = " ".join(symbol for symbol, _ in elements)
        masses = [mass for (_, mass), count in zip(elements, counts) for _ in range(int(count))]
    atoms = ase.io.read(io.StringIO("\n".join(lines) + "\n"), format="vasp")
    if any(masses):
        atoms.set_masses([mass or normal for mass, normal in zip(masses, atoms.get_masses(), strict=True)])
    yield 0, atoms


def _guarded(numbered, path):
    """The same frames; whatever a parser runs into becomes the last of them."""
    number = 0
    try:
        for number, frame in numbered:
            yield number, frame
            number += 1
    except UnknownFileTypeError:
        text = "The format of the file is not known to ASE. Give extended XYZ, an ASE database, VASP output or pymatgen JSON."
        yield number, ValueError(text)
    except Exception as error:  # ASE raises whatever the parser ran into.
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        yield (
            number,
            ValueError(f"The file is truncated or not understood as {_format_name(path)} ({text}). The frames after it are lost."),
        )


def _format_name(path):
    try:
        return filetype(str(path))
    except Exception:
        return "a file of structures"
