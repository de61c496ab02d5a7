"""Parameter files of LAMMPS whose entries are three elements and a row of numbers: `.sw`, `.edip`, `.tersoff`."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.files import replace_when_complete
from keras_ff.files.text import is_number, read_text
from keras_ff.potentials.classical import ClassicalPotential

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from keras_ff.potentials.classical import Table


@dataclasses.dataclass
class Entry:
    """Entry of a parameter file of LAMMPS: three elements and their numbers.

    Attributes:
        elements: Three chemical symbols, the center first.
        values: Dict from the names of the numbers to their values.
        line: Number of the line of the file where the entry begins.
    """

    elements: tuple
    values: dict
    line: int


class LammpsPotential(ClassicalPotential):
    """Base of classical potentials with a parameter file of LAMMPS.

    A subclass has the names of the numbers of an entry, in the order of the file, in `COLUMNS`. See `ClassicalPotential` for the
    arguments.
    """

    COLUMNS = ()

    @staticmethod
    def problem(entry: Entry) -> str | None:
        """Return what is wrong with an `Entry` beyond the signs of its numbers, or None."""
        return None

    @classmethod
    def from_lammps(cls, path: str | Path, species: str | Sequence[str] | None = None, **kwargs) -> LammpsPotential:
        """Make the potential from a parameter file of LAMMPS, in metal units.

            silicon = StillingerWeber.from_lammps("Si.sw", ["Si"])

        Args:
            path: The file.
            species: Chemical symbols in the order of the batches; by default all elements of the file.
            kwargs: Further arguments of the constructor, such as `train`.

        Raises:
            ValueError: If an entry is missing, broken, or has a value that is not allowed; the text names file and line.
        """
        species, parameters = read_tables(path, cls.COLUMNS, cls.TABLES, species, cls.problem)
        return cls(species, parameters, **kwargs)

    def to_lammps(self, path: str | Path) -> None:
        """Write the parameters as they are now to a parameter file of LAMMPS, with all digits.

            potential.to_lammps("fitted.sw")

        Args:
            path: The file, which is written whole or not at all.
        """
        write_tables(path, self.COLUMNS, self.TABLES, self.species, self.parameters())


def read_entries(path: str | Path, columns: Sequence[str]) -> dict[tuple, Entry]:
    """Entries of a parameter file of LAMMPS, in the order of the file.

    An entry may continue over several lines, and `#` begins a comment, as in LAMMPS.

    Args:
        path: The file.
        columns: Names of the numbers of an entry.

    Returns:
        Dict from tuples of three chemical symbols to `Entry`.

    Raises:
        ValueError: If the file is no text, an entry has another number of numbers, a number is not finite, an entry appears twice,
            there is none, or the units are not "metal". The text names file and line.
    """
    words, entries = [], {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if unit := re.search(r"UNITS:\s*(\w+)", line):
            if unit[1] != "metal":
                raise ValueError(f"{path}, line {number}: units are {unit[1]!r}. Only files in metal units (eV, Å) can be read.")
        words += [(word, number) for word in line.split("#")[0].split()]
    index = 0
    while index < len(words):
        line, names, numbers = words[index][1], [], []
        while index < len(words) and not is_number(words[index][0]) and len(names) < 3:
            names.append(words[index][0])
            index += 1
        while index < len(words) and is_number(words[index][0]):
            word, place = words[index]
            numbers.append(float(word))
            # Python alone reads 1_000 as a number.
            if not np.isfinite(numbers[-1]) or "_" in word:
                name = [*columns, "a number too many"][min(len(numbers), len(columns) + 1) - 1]
                raise ValueError(f"{path}, line {place}, entry {' '.join(names)}: {name} is {word}, and must be a finite number.")
            index += 1
        if len(names) < 3 or len(numbers) != len(columns):
            end = f"before {words[index][0]!r} in line {words[index][1]}" if index < len(words) else "where the file ends"
            raise ValueError(
                f"{path}, line {line}: an entry has 3 elements and {len(columns)} numbers ({' '.join(columns)}). "
                f"The entry {' '.join(names)} has {len(numbers)} numbers {end}."
            )
        elements = tuple(names)
        if elements in entries:
            raise ValueError(
                f"{path}, line {line}: a second entry {' '.join(elements)}; the first is in line {entries[elements].line}."
            )
        entries[elements] = Entry(elements, dict(zip(columns, numbers)), line)
    if not entries:
        raise ValueError(f"{path} has no entries.")
    return entries


def read_tables(
    path: str | Path,
    columns: Sequence[str],
    tables: dict[str, Table],
    species: str | Sequence[str] | None = None,
    check: Callable | None = None,
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Parameters of a classical potential from a parameter file of LAMMPS.

    Args:
        path: The file.
        columns: Names of the numbers of an entry; names that are not in `tables` are left out.
        tables: Dict from names to `Table`, of rank 2, taken from entries (i, j, j), or 3.
        species: Elements to read, in this order; by default all that have an entry with themselves, in the order of the file.
        check: Function of an `Entry` that returns what is wrong with it, or None.

    Returns:
        Tuple of the species and a dict of arrays `(species,) * rank`.

    Raises:
        ValueError: If the file is malformed (see `read_entries`), or an entry is missing or has a value that is not allowed.
    """
    entries = read_entries(path, columns)
    if species is None:
        species = [elements[0] for elements in entries if len(set(elements)) == 1]
    species = [species] if isinstance(species, str) else list(species)
    wanted = list(itertools.product(species, repeat=3))
    if missing := [" ".join(elements) for elements in wanted if elements not in entries]:
        known = sorted({elements[0] for elements in entries})
        raise ValueError(
            f"{path} has no entry for {', '.join(missing)}. Species {species} need all triplets of them; "
            f"the file has entries for {known}."
        )
    for elements in wanted:
        entry = entries[elements]
        if problem := _problem(entry, tables) or (check and check(entry)):
            raise ValueError(f"{path}, line {entry.line}, entry {' '.join(elements)}: {problem}")
    parameters = {}
    for name, table in tables.items():
        values = np.array([entries[elements].values[name] for elements in wanted]).reshape((len(species),) * 3)
        parameters[name] = values if table.rank == 3 else np.einsum("ijj->ij", values).copy()
        if indices := table.asymmetry(parameters[name]):
            entry = entries[tuple(species[index] for index in (*indices, indices[-1])[:3])]
            raise ValueError(
                f"{path}, line {entry.line}, entry {' '.join(entry.elements)}: {name} must be symmetric in "
                f"{' and in '.join(table.symmetry)}. It is {entry.values[name]:g} here, and another in the entry with the elements "
                f"in the other order."
            )
    return species, parameters


def write_tables(
    path: str | Path,
    columns: Sequence[str],
    tables: dict[str, Table],
    species: Sequence[str],
    parameters: dict[str, np.ndarray],
    constants: dict[str, float] | None = None,
) -> None:
    """Write a parameter file of LAMMPS with all digits, whole or not at all.

    Numbers of pairs stand in the entries (i, j, j); other entries, of which LAMMPS does not use them, have 0 instead.

    Args:
        path: The file.
        columns: Names of the numbers of an entry, in the order of the file.
        tables: Dict from names to `Table`, of rank 2 or 3.
        species: Chemical symbols.
        parameters: Dict of arrays `(species,) * rank`.
        constants: Values of numbers that are no parameters, by name; by default 0.
    """
    lines = [f"# UNITS: metal CONTRIBUTOR: keras_ff. Three elements, then {' '.join(columns)}"]
    for indices in itertools.product(range(len(species)), repeat=3):
        numbers = []
        for name in columns:
            if name not in tables:
                value = (constants or {}).get(name, 0.0)
            elif tables[name].rank == 3:
                value = parameters[name][indices]
            else:
                value = parameters[name][indices[:2]] if indices[1] == indices[2] else 0.0
            numbers.append(repr(float(value)))
        lines.append(" ".join([*(species[index] for index in indices), *numbers]))
    with replace_when_complete(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _problem(entry, tables):
    pair = entry.elements[1] == entry.elements[2]
    for name, table in tables.items():
        value = entry.values[name]
        if (table.rank == 3 or pair) and (not np.isfinite(value) or (table.positive and value < 0)):
            return f"{name} is {value:g}, and must be {'finite and not negative' if table.positive else 'finite'}."
    return None
