"""Parameter files of LAMMPS' `pair_style meam/spline`, in the old format of one element and the new one of several."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.files import replace_when_complete
from keras_ff.files.text import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Knots of a file are rounded; larger differences of their distances are no rounding.
UNIFORM = 1e-6


@dataclasses.dataclass
class Curve:
    """Clamped cubic spline on uniform knots, as a file of LAMMPS has it.

    Attributes:
        first: Position of the first knot.
        last: Position of the last knot.
        values: Values at the knots, `(knots,)`.
        slopes: Derivatives at the two ends, a pair of numbers.
    """

    first: float
    last: float
    values: np.ndarray
    slopes: tuple


def curve_names(species: Sequence[str]) -> list[str]:
    """Names of the functions of a spline-MEAM potential, in the order of a file of LAMMPS.

    Args:
        species: Chemical symbols.

    Example:
        >>> from keras_ff.potentials.lammps_splines import curve_names
        >>> curve_names(["Ti"])
        ['phi Ti-Ti', 'rho Ti', 'U Ti', 'f Ti', 'g Ti-Ti']
    """
    pairs = [f"{a}-{b}" for index, a in enumerate(species) for b in species[index:]]
    kinds = (("phi", pairs), ("rho", species), ("U", species), ("f", species), ("g", pairs))
    return [f"{kind} {name}" for kind, names in kinds for name in names]


def read_curves(path: str | Path) -> tuple[list[str] | None, dict[str, Curve]]:
    """Functions of a `meam/spline` file of LAMMPS, in the format of one element or of several.

    Args:
        path: The file.

    Returns:
        Tuple of the species, or None for the old format, which does not name its element, and a dict from the names of
        `curve_names` to `Curve`.

    Raises:
        ValueError: If the file is malformed or the knots of a function are not uniform; the text names file and line.
    """
    lines = _Lines(path, read_text(path).splitlines())
    lines.next("a comment")
    species, names = None, curve_names(["X"])
    if lines.peek()[:1] == ["meam/spline"]:
        words = lines.next("meam/spline, the number of elements, and their symbols")
        if len(words) < 3 or not words[1].isdigit() or int(words[1]) != len(words) - 2:
            lines.fail(f"the words must be meam/spline, a number, and as many symbols. Received {' '.join(words)!r}")
        species = words[2:]
        names = curve_names(species)
    curves = {name: _read_curve(lines, name, new_format=species is not None) for name in names}
    if lines.peek():
        lines.fail(f"the file has more than the {len(names)} functions {', '.join(names)}", lines.place + 1)
    return species, curves


def _read_curve(lines, name, new_format):
    if new_format and lines.next(f"spline3eq, where {name} begins") != ["spline3eq"]:
        lines.fail(f"{name} must begin with the word spline3eq")
    words = lines.next(f"the number of knots of {name}")
    if len(words) != 1 or not words[0].isdigit() or int(words[0]) < 2:
        lines.fail(f"the number of knots of {name} must be an integer from 2 on. Received {' '.join(words)!r}")
    count = int(words[0])
    slopes = lines.numbers(2, f"the derivatives of {name} at its ends")
    if not new_format:
        lines.next(f"four numbers that are not used, of {name}")
    begin = lines.place + 1
    knots = np.array(
        [
            lines.numbers(3, f"knot {number} of {count} of {name}: position, value, second derivative")
            for number in range(1, count + 1)
        ]
    )
    steps = np.diff(knots[:, 0])
    uneven = np.abs(steps - steps.mean()) > UNIFORM * max(abs(steps.mean()), 1e-300)
    if (steps <= 0).any() or uneven.any():
        index = int(np.argmax((steps <= 0) | uneven))
        lines.fail(
            f"the knots of {name} must rise by equal steps, so that an interval is found without a search. The step from "
            f"{knots[index, 0]:g} to {knots[index + 1, 0]:g} differs from their mean {steps.mean():g}",
            begin + index + 1,
        )
    return Curve(knots[0, 0], knots[-1, 0], knots[:, 1], tuple(slopes))


def write_curves(path: str | Path, species: Sequence[str], curves: dict[str, Curve]) -> None:
    """Write a `meam/spline` file of LAMMPS in the format of several elements, with all digits, whole or not at all.

    Args:
        path: The file.
        species: Chemical symbols.
        curves: Dict from the names of `curve_names` to `Curve`.
    """
    lines = ["# UNITS: metal CONTRIBUTOR: keras_ff", f"meam/spline {len(species)} {' '.join(species)}"]
    for name in curve_names(species):
        curve = curves[name]
        lines += ["spline3eq", str(len(curve.values)), " ".join(repr(float(slope)) for slope in curve.slopes)]
        knots = np.linspace(curve.first, curve.last, len(curve.values))
        # LAMMPS computes the second derivatives from the other numbers.
        lines += [f"{float(x)!r} {float(y)!r} 0.0" for x, y in zip(knots, curve.values)]
    with replace_when_complete(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


class _Lines:
    """Lines of a file one after the other, and errors that name them."""

    def __init__(self, path, lines):
        self.path, self.lines, self.place = path, lines, 0

    def peek(self):
        """Return the words of the next line without going past it; none at the end of the file."""
        return self.lines[self.place].split() if self.place < len(self.lines) else []

    def next(self, expected):
        """Return the words of the next line, which should hold what is expected, and go past it."""
        if self.place >= len(self.lines):
            self.fail(f"the file ends where {expected} should follow", len(self.lines))
        self.place += 1
        return self.lines[self.place - 1].split()

    def numbers(self, count, what):
        """Return the next line as so many finite numbers."""
        words = self.next(what)
        try:
            # Python alone reads 1_000 as a number.
            values = [float(word.replace("_", "?")) for word in words]
        except ValueError:
            values = []
        if len(values) != count or not np.isfinite(values).all():
            self.fail(f"{count} numbers must stand here, {what}. Received {' '.join(words)!r}")
        return values

    def fail(self, problem, line=None):
        """Raise a ValueError that names the file and the line, by default the present one."""
        raise ValueError(f"{self.path}, line {self.place if line is None else line}: {problem}.")
