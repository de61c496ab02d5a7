"""Frames of extended XYZ files, and a look at what they say before ASE reads it."""

from __future__ import annotations

import functools
import io
import itertools
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.io.extxyz import key_val_str_to_dict, read_xyz

from keras_ff.data.label_values import LABEL_NAMES
from keras_ff.files.text import is_number, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ase import Atoms

# Isotopes that have a symbol of their own, in amu. IUPAC 2021, Pure Appl. Chem. 94, 573 (2022).
ISOTOPES = {"D": 2.01410178, "T": 3.01604928}

# ASE takes a keyword in other letters for a remark; other programs write them so.
KEYWORDS = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
SAME_COLUMN = {"pos": "positions", "species": "symbols", "Z": "numbers", "charge": "charges"}

# A number that Python would read, but no other program.
UNDERSCORE = re.compile(r"\d_\d")


def xyz_frames(path: Path) -> Iterator[tuple[int, Atoms | Exception]]:
    """Iterator over the frames of an (extended) XYZ file, cut out one by one so that the number of a broken frame is known.

    Args:
        path: Path of the file.

    Yields:
        Tuples of the number of a frame and an `ase.Atoms` or, for a broken frame, the exception that says what is wrong.
    """
    number = 0
    try:
        with open_text(path) as file:
            lines = file
            while (first := next(lines, None)) is not None:
                if not first.strip():
                    continue
                if not _is_count(first):
                    yield number, ValueError(f"Expected the number of atoms, found {first.strip()[:60]!r}.")
                    for first in lines:
                        if _is_count(first):
                            lines = itertools.chain([first], lines)
                            break
                else:
                    frame, lines = _lines_of(lines, int(first))
                    yield number, _frame(int(first), frame)
                number += 1
    except (OSError, EOFError, zlib.error) as error:
        yield number, ValueError(f"The file is truncated or damaged: {error}")


def element(word: str) -> tuple[str, float | None]:
    """Chemical symbol that a word for a species stands for, and the mass in amu if it is an isotope.

    Labels of sites and of pseudopotentials are understood, such as Si1 and Si_pv, and atomic numbers.

    Args:
        word: The word.

    Raises:
        ValueError: If it stands for no element.

    Example:
        >>> element("Si_pv"), element("D")
        (('Si', None), ('H', 2.01410178))
    """
    plain = re.sub(r"(?<=[A-Za-z])[\d_./+-].*$", "", word).capitalize()
    if plain in ISOTOPES:
        return "H", ISOTOPES[plain]
    if word.isdecimal() and 0 < int(word) < len(chemical_symbols):
        return chemical_symbols[int(word)], None
    if atomic_numbers.get(plain, 0) > 0:
        return plain, None
    raise ValueError(f"{word[:30]!r} is no chemical element. Write a symbol, such as H, D or Si.")


element = functools.lru_cache(1000)(element)


def _is_count(line):
    return line.strip().isdecimal() and len(line.strip()) < 13


def _lines_of(lines, n_atoms):
    """Comment and atoms of a frame, and the lines after it, which begin with the next frame if this one ends too early."""
    frame = list(itertools.islice(lines, n_atoms + 1))
    for index, line in enumerate(frame):
        # Lines of atoms have several words.
        if index and (line.isspace() or _is_count(line)):
            return frame[:index], itertools.chain(frame[index + line.isspace() :], lines)
    return frame, lines


def _frame(n_atoms, lines):
    """Atoms of a frame, or the exception that says what is wrong with it."""
    if len(lines) <= n_atoms:
        return ValueError(f"The frame is truncated: it announces {n_atoms} atoms, but {len(lines) - 1} lines of atoms follow.")
    try:
        comment = lines[0].strip()
        info = _comment(comment) if comment else {}
        rows, words = _rows(lines[1:], info.get("Properties"))
        stress = info.get("stress")
        text = "".join([f"{n_atoms}\n", "comment\n" if comment else "\n", *rows])
        atoms = next(read_xyz(io.StringIO(text), 0, properties_parser=lambda _: info))
        # ASE takes one of its two triangles.
        if isinstance(stress, np.ndarray) and atoms.calc is not None and "stress" in atoms.calc.results:
            atoms.calc.results["stress"] = stress
        return _with_species(atoms, words)
    except Exception as error:  # ASE raises whatever the parser ran into.
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return ValueError(f"The frame is truncated or not understood as extended XYZ: {text}")


def _comment(comment):
    """Dictionary of the comment of a frame; a ValueError where ASE would read something else."""
    comment = re.sub(
        r"(?<![^\s\"'])(lattice|properties|pbc)(?=\s*=)", lambda match: KEYWORDS[match[0].lower()], comment, flags=re.IGNORECASE
    )
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|\{[^}]*\}|\[[^\]]*\]", "''", comment)
    names = re.findall(r"([^\s=,]+)\s*=", bare)
    for name in names:
        if names.count(name) > 1 and (name in LABEL_NAMES or name in KEYWORDS.values()):
            raise ValueError(f"{name!r} stands there twice.")
    numbers = r"(\S*(?:energy|force|stress|virial|lattice)\S*?)\s*=\s*(\"[^\"]*\"|\S+)"
    for name, value in re.findall(numbers, comment, re.I) if UNDERSCORE.search(comment) else ():
        if any(UNDERSCORE.search(word) and is_number(word) for word in value.strip('"').split()):
            raise ValueError(f"{name!r} is {value[:60]}, which is no number.")
    info = key_val_str_to_dict(comment)
    if "pbc" in info and not _are_flags(info["pbc"]):
        raise ValueError(f"pbc is three of T and F. Received {str(info['pbc'])[:60]!r}.")
    return info


def _are_flags(value):
    """Whether a value of ASE is a truth value or three of them; 0 and 1 are understood."""
    flags = np.asarray(value)
    return flags.shape in ((), (3,)) and (flags.dtype == bool or (flags.dtype.kind == "i" and np.isin(flags, (0, 1)).all()))


def _rows(rows, properties):
    """Lines of atoms with symbols that ASE knows, and the words that stood there, if others."""
    columns = _columns(properties or "species:S:1:pos:R:3")
    count = sum(width for _, _, width in columns) if properties else len(rows[0].split()) if rows else 4
    species = next((first for name, first, _ in columns if name == "species"), None)
    texts = [range(first, first + width) for name, first, width in columns if name == "" or name == "species"]
    changed, words = list(rows), []
    for index, row in enumerate(rows):
        parts = row.split()
        if len(parts) != count:
            announced = f"Properties announces {count}" if properties else f"the line of atom 0 has {count}"
            raise ValueError(f"The line of atom {index} has {len(parts)} columns, {announced}.")
        if "_" in row:
            for column, part in enumerate(parts):
                if UNDERSCORE.search(part) and not any(column in one for one in texts) and is_number(part):
                    raise ValueError(f"The line of atom {index} has {part!r}, which is no number.")
        if species is not None:
            word = parts[species]
            words.append(word)
            if element(word)[0] != word:
                parts[species] = element(word)[0]
                changed[index] = " ".join(parts) + "\n"
    return changed, words


def _columns(properties):
    """Tuples of name, first column and width of what stands in the lines of atoms; the name of other texts is empty."""
    fields = properties.split(":") if isinstance(properties, str) else []
    if not fields or len(fields) % 3:
        raise ValueError(f"Properties is a list of name:type:columns. Received {str(properties)[:80]!r}.")
    columns, first = [], 0
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if kind not in "RISL" or len(kind) != 1 or not width.isdecimal() or not 0 < int(width) < 1000:
            raise ValueError(f"Properties has {name}:{kind}:{width}. Expected R, I, S or L, and a number of columns.")
        if name in LABEL_NAMES and kind not in "RI":
            raise ValueError(f"Properties has {name}:{kind}:{width}. Labels are real numbers, {name}:R:{width}.")
        columns.append((name if kind != "S" or name == "species" else "", first, int(width)))
        first += int(width)
    names = [SAME_COLUMN.get(name, name) for name in fields[::3]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Properties has two columns for {', '.join(twice)}.")
    kinds = dict(zip(names, zip(fields[1::3], fields[2::3], strict=True), strict=True))
    if kinds.get("positions") not in (("R", "3"), ("I", "3")):
        raise ValueError("Properties needs the positions, pos:R:3.")
    if kinds.get("symbols") != ("S", "1") and kinds.get("numbers") != ("I", "1"):
        raise ValueError("Properties needs the elements, species:S:1 or Z:I:1.")
    return columns


def _with_species(atoms, words):
    """The same atoms with the masses of isotopes, and with labels of species that say more than the element."""
    if [element(word)[0] for word in words] == words:
        return atoms
    masses = [element(word)[1] for word in words]
    if any(masses) and not atoms.has("masses"):
        atoms.set_masses([mass or normal for mass, normal in zip(masses, atoms.get_masses(), strict=True)])
    atoms.set_array("species_labels", np.array(words))
    return atoms
