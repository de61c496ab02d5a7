"""Frames of files of structures: extended XYZ, JSON, ASE databases, VASP output and all else that ASE reads."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from typing import TYPE_CHECKING

import ase.db
import ase.io
from ase.io.extxyz import read_xyz
from ase.io.formats import UnknownFileTypeError, filetype, string2index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ase import Atoms


def file_frames(path: Path, index: str | int | slice) -> Iterator[tuple[str, Atoms | Exception]]:
    """Iterator over the frames of one file of structures, in any format that keras_ff reads.

    Args:
        path: Path of the file.
        index: Frames to take, as in `ase.io.read`.

    Yields:
        Tuples `(where, frame)`: the file and the number of the frame for messages, and an `ase.Atoms` or, for a broken frame, the
        exception that says what is wrong.
    """
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
    frames = index if isinstance(index, slice) else slice(index, index + 1 or None)
    values = (frames.start or 0, frames.stop or 0, frames.step or 1)
    if min(values) < 0:
        yield from list(numbered)[frames]
        return
    for number, frame in numbered:
        if frames.stop is not None and number >= frames.stop:
            return
        if number >= values[0] and (number - values[0]) % values[2] == 0:
            yield number, frame


def _open(path):
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8")


def _xyz_frames(path):
    """Frames of an (extended) XYZ file, cut out one by one so that the number of a broken frame is known."""
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
    """Comment and atoms of a frame, and the lines after it, which begin with the next frame if this one ends too early."""
    frame = list(itertools.islice(lines, n_atoms + 1))
    for index, line in enumerate(frame):
        # Lines of atoms have several words.
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
            # ASE returns the initial structure of a run that died before its first energy.
            if finished or atoms.calc is not None:
                yield number, atoms
                number += 1
        if not finished:
            yield number, ValueError(f"The file is truncated: VASP did not finish. {number} complete frames precede the end.")
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
    """Whether a file is anything but the output of a VASP run that was cut off."""
    mark = {"vasp-out": "General timing and accounting", "vasp-xml": "</modeling>"}.get(_format_name(path))
    if mark is None:
        return True
    last = ""
    with _open(path) as file:
        while text := file.read(2**20):
            last = last[-10000:] + text
    return mark in last[-20000:]


def _format_name(path):
    try:
        return filetype(str(path))
    except Exception:
        return "a file of structures"
