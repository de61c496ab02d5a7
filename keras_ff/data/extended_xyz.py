"""Frames of extended XYZ files: their comments are read by ASE, after a look at what they say, and their columns here."""

from __future__ import annotations

import functools
import itertools
import re
import types
import zlib
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.constraints import FixAtoms, FixCartesian
from ase.data import atomic_numbers, chemical_symbols
from ase.io.extxyz import key_val_str_to_dict, per_config_properties

from keras_ff.data.label_values import LABEL_NAMES
from keras_ff.files.text import is_number, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Isotopes that have a symbol of their own, in amu. IUPAC 2021, Pure Appl. Chem. 94, 573 (2022).
ISOTOPES = {"D": 2.01410178, "T": 3.01604928}

# ASE takes a keyword in other letters for a remark; other programs write them so.
KEYWORDS = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
PLAIN = "species:S:1:pos:R:3"
SAME_COLUMN = {"pos": "positions", "species": "symbols", "Z": "numbers", "charge": "charges"}

# Nine numbers in quotes, or a list of columns, and marks without which quotes are plain.
PLAIN_VALUE = re.compile(r'(?<!\S)(?:(Lattice|stress|virial)="([-+.\deE\s]+)"|Properties=(\w+(?::\w+)+))(?!\S)')
MARKS = re.compile(r"['{\[\\]")

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
        return _atoms(_arrays(lines[1:], info.pop("Properties", None)), info)
    except Exception as error:  # ASE raises whatever the parser ran into.
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return ValueError(f"The frame is truncated or not understood as extended XYZ: {text}")


def _comment(comment):
    """Dictionary of the comment of a frame; a ValueError where ASE would read something else."""
    info = _info(comment)
    if any(name.lower() in KEYWORDS and name not in KEYWORDS.values() for name in info):
        comment = re.sub(
            r"(?<![^\s\"'])(lattice|properties|pbc)(?=\s*=)", lambda match: KEYWORDS[match[0].lower()], comment, flags=re.IGNORECASE
        )
        info = _info(comment)
    known = [name for name in info if name in LABEL_NAMES or name in KEYWORDS.values()]
    if any(comment.count(name) > 1 for name in known):
        bare = re.sub(r"\"[^\"]*\"|'[^']*'|\{[^}]*\}|\[[^\]]*\]", "''", comment)
        names = re.findall(r"([^\s=,]+)\s*=", bare)
        if twice := [name for name in known if names.count(name) > 1]:
            raise ValueError(f"{twice[0]!r} stands there twice.")
    numbers = r"(\S*(?:energy|force|stress|virial|lattice)\S*?)\s*=\s*(\"[^\"]*\"|\S+)"
    for name, value in re.findall(numbers, comment, re.I) if "_" in comment and UNDERSCORE.search(comment) else ():
        if any(UNDERSCORE.search(word) and is_number(word) for word in value.strip('"').split()):
            raise ValueError(f"{name!r} is {value[:60]}, which is no number.")
    if "pbc" in info and not _are_flags(info["pbc"]):
        raise ValueError(f"pbc is three of T and F. Received {str(info['pbc'])[:60]!r}.")
    return info


def _info(comment):
    """Dictionary of a comment, as ASE reads it; ASE looks at each letter, which takes long for many digits."""
    taken = {}

    def take(match):
        name, numbers, columns = match.groups()
        if comment.count('"', 0, match.start()) % 2 or (name and len(numbers.split()) != 9):
            return match[0]
        taken[name or "Properties"] = np.array(numbers.split(), float).reshape((3, 3), order="F") if name else columns
        return ""

    rest = comment if MARKS.search(comment) else PLAIN_VALUE.sub(take, comment)
    return key_val_str_to_dict(rest) | taken


def _are_flags(value):
    """Whether a value of ASE is a truth value or three of them; 0 and 1 are understood."""
    flags = np.asarray(value)
    return flags.shape in ((), (3,)) and (flags.dtype == bool or (flags.dtype.kind == "i" and np.isin(flags, (0, 1)).all()))


def _arrays(lines, properties):
    """Dict of the columns in the lines of atoms, under the names that ASE gives them."""
    plain, rows = properties is None, [line.split() for line in lines]
    fields = _fields(PLAIN if plain else str(properties))
    needed = sum(width for _, _, width in fields)
    count = len(rows[0]) if plain and rows else needed
    for index, row in enumerate(rows):
        if len(row) != count:
            announced = f"the line of atom 0 has {count}" if plain else f"Properties announces {count}"
            raise ValueError(f"The line of atom {index} has {len(row)} columns, {announced}.")
    if count < needed:
        raise ValueError(f"The lines of atoms have {count} columns. Expected {needed}, an element and its position.")
    words, with_underscores = list(itertools.chain.from_iterable(rows)), any("_" in line for line in lines)
    arrays, first = {}, 0
    for name, kind, width in fields:
        if with_underscores and kind != "S":
            _check_underscores(rows, first, first + width)
        convert, dtype = COLUMNS[kind]
        values = np.array([list(map(convert, words[column::count])) for column in range(first, first + width)], dtype)
        arrays[name] = values[0] if width == 1 else np.ascontiguousarray(values.T)
        first += width
    return arrays


def _check_underscores(rows, first, last):
    """Raise an error if a number has an underscore, which Python would read."""
    for index, row in enumerate(rows):
        for word in row[first:last]:
            if "_" in word:
                raise ValueError(f"The line of atom {index} has {word!r}, which is no number.")


def _flag(word):
    """Truth value of a word, as ASE knows it; ASE takes all else for False."""
    if word in ("T", "True", "F", "False"):
        return word[0] == "T"
    raise ValueError(f"{word[:30]!r} is neither T nor F.")


# Function that converts a word, and dtype, of each type of column.
COLUMNS = {"R": (float, np.float64), "I": (int, np.int32), "S": (str, object), "L": (_flag, bool)}


@functools.lru_cache(100)
def _fields(properties):
    """Tuples of the name that ASE has for a column, its type and its width, checked."""
    fields = properties.split(":")
    if len(fields) % 3:
        raise ValueError(f"Properties is a list of name:type:columns. Received {properties[:80]!r}.")
    columns = []
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if kind not in COLUMNS or not width.isdecimal() or not 0 < int(width) < 1000:
            raise ValueError(f"Properties has {name}:{kind}:{width}. Expected R, I, S or L, and a number of columns.")
        if name in LABEL_NAMES and kind not in "RI":
            raise ValueError(f"Properties has {name}:{kind}:{width}. Labels are real numbers, {name}:R:{width}.")
        columns.append((SAME_COLUMN.get(name, name), kind, int(width)))
    names = [name for name, _, _ in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Properties has two columns for {', '.join(twice)}.")
    if not {("positions", "R", 3), ("positions", "I", 3)} & set(columns):
        raise ValueError("Properties needs the positions, pos:R:3.")
    if not {("symbols", "S", 1), ("numbers", "I", 1)} & set(columns):
        raise ValueError("Properties needs the elements, species:S:1 or Z:I:1.")
    return columns


def _atoms(arrays, info):
    """Structure of the columns and the comment of a frame; the results that ASE knows by name are in its calculator."""
    words, lattice = arrays.pop("symbols", ()), info.pop("Lattice", None)
    elements = [element(word) for word in words]
    numbers = arrays.pop("numbers", None)
    results = {name: arrays.pop(name) for name in list(arrays) if name in all_properties}
    results |= {name: info.pop(name) for name in list(info) if name in per_config_properties}
    atoms = Atoms(
        numbers=[atomic_numbers[symbol] for symbol, _ in elements] if numbers is None else numbers,
        positions=arrays.pop("positions"),
        charges=arrays.pop("initial_charges", None),
        cell=None if lattice is None else lattice.T,
        pbc=info.pop("pbc", lattice is not None),
        info=info,
    )
    if "move_mask" in arrays:
        atoms.set_constraint(_constraints(arrays.pop("move_mask").astype(bool)))
    for name, values in arrays.items():
        atoms.new_array(name, values)
    # A calculator of ASE would copy the structure once more.
    atoms.calc = types.SimpleNamespace(results=results)
    if any(symbol != word for word, (symbol, _) in zip(words, elements, strict=True)):
        masses = [mass for _, mass in elements]
        if any(masses) and not atoms.has("masses"):
            atoms.set_masses([mass or normal for mass, normal in zip(masses, atoms.get_masses(), strict=True)])
        atoms.set_array("species_labels", np.array(words, dtype=str))
    return atoms


def _constraints(movable):
    """Constraints of a column `move_mask`: which atoms move, or along which directions."""
    if movable.ndim == 1:
        return FixAtoms(mask=~movable)
    if movable.shape[1] != 3:
        raise ValueError(f"move_mask has one column or three. Received {movable.shape[1]}.")
    return [FixCartesian(index, mask=~one) for index, one in enumerate(movable)]
