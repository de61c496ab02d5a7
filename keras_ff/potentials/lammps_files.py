"""Parameter files of LAMMPS whose entries are three elements and a row of numbers: `.sw`, `.edip`, `.tersoff`."""

import dataclasses
import itertools
import re

import numpy as np

from keras_ff.files import replace_when_complete
from keras_ff.potentials.classical import ClassicalPotential


@dataclasses.dataclass
class Entry:
    """One entry: the numbers by the name of their column, and the line where it begins."""

    elements: tuple
    values: dict
    line: int


class LammpsPotential(ClassicalPotential):
    """A classical potential with a parameter file of LAMMPS, whose numbers are `COLUMNS`."""

    COLUMNS = ()

    @staticmethod
    def problem(entry):
        """What is wrong with an `Entry` beyond the signs of its numbers, or None."""
        return None

    @classmethod
    def from_lammps(cls, path, species=None, **kwargs):
        """Read the parameter file of LAMMPS, in metal units.

        Args:
            path: The file.
            species: Elements in the order of the batches; by default all of the file.

        Raises:
            ValueError: If an entry is missing, broken, or has a value that cannot be; the text names file and line.
        """
        species, parameters = read_tables(path, cls.COLUMNS, cls.TABLES, species, cls.problem)
        return cls(species, parameters, **kwargs)

    def to_lammps(self, path):
        """Write the parameters as a file of LAMMPS, with all digits."""
        write_tables(path, self.COLUMNS, self.TABLES, self.species, self.parameters())


def read_entries(path, columns):
    """Entries of a file in the order of the file.

    An entry may go on over several lines, and `#` begins a comment, as in LAMMPS.

    Args:
        path: The file.
        columns: Names of the numbers of an entry.

    Returns:
        Dict from three elements to `Entry`.

    Raises:
        ValueError: If an entry has another number of columns, a number is none, an entry appears twice, or the units are not
            "metal". The text names file and line.
    """
    words, entries = [], {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if unit := re.search(r"UNITS:\s*(\w+)", line):
                if unit[1] != "metal":
                    raise ValueError(
                        f"{path}, line {number}: units are {unit[1]!r}. Only files in metal units (eV, Å) can be read."
                    )
            words += [(word, number) for word in line.split("#")[0].split()]
    place = 0
    while place < len(words):
        line, names, numbers = words[place][1], [], []
        while place < len(words) and not _is_number(words[place][0]) and len(names) < 3:
            names.append(words[place][0])
            place += 1
        while place < len(words) and _is_number(words[place][0]):
            numbers.append(float(words[place][0]))
            place += 1
        if len(names) < 3 or len(numbers) != len(columns):
            rest = f"before {words[place][0]!r} in line {words[place][1]}" if place < len(words) else "where the file ends"
            raise ValueError(
                f"{path}, line {line}: an entry has 3 elements and {len(columns)} numbers ({' '.join(columns)}). "
                f"The entry {' '.join(names)} has {len(numbers)} numbers {rest}."
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


def read_tables(path, columns, tables, species=None, check=None):
    """Parameters of a classical potential from a file.

    Args:
        path: The file.
        columns: Names of the numbers of an entry; those that are no names of `tables` are left out.
        tables: Dict from names to `Table`, of rank 2, taken from entries (i, j, j), or 3.
        species: Elements to read, in this order; by default all that have an entry with themselves, in the order of the file.
        check: Function of an `Entry` that returns what is wrong with it, or None.

    Returns:
        Tuple of the species and a dict of arrays `(species,) * rank`.

    Raises:
        ValueError: As `read_entries`, and if an entry is missing, or has a value that cannot be.
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
    found = {}
    for name, table in tables.items():
        values = np.array([entries[elements].values[name] for elements in wanted]).reshape((len(species),) * 3)
        found[name] = values if table.rank == 3 else np.einsum("ijj->ij", values).copy()
        if place := table.asymmetry(found[name]):
            entry = entries[tuple(species[index] for index in (*place, place[-1])[:3])]
            raise ValueError(
                f"{path}, line {entry.line}, entry {' '.join(entry.elements)}: {name} must be symmetric in "
                f"{' and in '.join(table.symmetry)}. It is {entry.values[name]:g} here, and another in the entry with the elements "
                f"in the other order."
            )
    return species, found


def write_tables(path, columns, tables, species, parameters, constants=None):
    """Write parameters with all digits as LAMMPS reads them, whole or not at all.

    Numbers of pairs stand in the entries (i, j, j); the others, which LAMMPS does not use, have 0 there.

    Args:
        path: The file.
        columns: As of `read_entries`.
        tables: As of `read_tables`.
        species: Chemical symbols.
        parameters: Dict of arrays `(species,) * rank`.
        constants: Numbers of columns that are no parameters.
    """
    lines = [f"# UNITS: metal CONTRIBUTOR: keras_ff. Three elements, then {' '.join(columns)}"]
    for place in itertools.product(range(len(species)), repeat=3):
        numbers = []
        for name in columns:
            if name not in tables:
                value = (constants or {}).get(name, 0.0)
            elif tables[name].rank == 3:
                value = parameters[name][place]
            else:
                value = parameters[name][place[:2]] if place[1] == place[2] else 0.0
            numbers.append(repr(float(value)))
        lines.append(" ".join([*(species[index] for index in place), *numbers]))
    with replace_when_complete(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _problem(entry, tables):
    pair = entry.elements[1] == entry.elements[2]
    for name, table in tables.items():
        value = entry.values[name]
        if (table.rank == 3 or pair) and (not np.isfinite(value) or (table.positive and value < 0)):
            return f"{name} is {value:g}, and must be {'finite and not negative' if table.positive else 'finite'}."
    return None


def _is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True
