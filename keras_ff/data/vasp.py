"""Frames of the output of VASP: which ionic steps are those of first-principles calculations that converged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import ase.io
from ase.io.vasp_parsers.vasp_outcar_parsers import OUTCARChunk, OutcarHeaderParser

from keras_ff.data.reasons import LeftOut
from keras_ff.files.text import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ase import Atoms

OUTCAR = re.compile(r"OUTCAR", re.IGNORECASE)
VASPRUN = re.compile(r"vasprun.*xml|vasp.*\.xml", re.IGNORECASE)

ENERGY = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"
ITERATION = re.compile(r"Iteration\s+\d+\(\s*(\d+)\)")
FINISHED = "General timing and accounting"

UNCONVERGED = LeftOut(
    "ionic steps whose electronic steps reached NELM did not converge, and are left out (keep_unconverged=True keeps them)"
)
MACHINE_LEARNED = LeftOut(
    "ionic steps of VASP's machine-learned force field (ML_FF) are no first-principles data, and are left out"
)


def outcar_frames(path: Path, keep_unconverged: bool = False) -> Iterator[tuple[int, Atoms | Exception]]:
    """Iterator over the ionic steps of an OUTCAR.

    Args:
        path: Path of the file.
        keep_unconverged: Whether steps are kept whose electronic steps did not converge.

    Yields:
        Tuples of the number of a step and an `ase.Atoms`, or the exception that says why it is none.
    """
    number = complete = 0
    with open_text(path) as file:
        head = _until(file, "Iteration")
        if head is None:
            yield 0, ValueError("The file is truncated: VASP did not finish its first step.")
            return
        header = OutcarHeaderParser(workdir=path.parent).build(head)
        limit = _number(r"\bNELM\s*=\s*(\d+)", "".join(head))
        rest = head[-1:]
        while (lines := _until(file, ENERGY, 4, rest)) is not None:
            energy = "".join(lines[-5:])
            if "ML" in energy:
                yield number, MACHINE_LEARNED
            elif not keep_unconverged and _outcar_unconverged(lines, limit):
                yield number, UNCONVERGED
                complete += 1
            else:
                yield number, _built(lines, header)
                complete += 1
            number, rest = number + 1, []
        if not any(FINISHED in line for line in rest):
            yield number, _cut_off(number)


def vasprun_frames(path: Path, keep_unconverged: bool = False) -> Iterator[tuple[int, Atoms | Exception]]:
    """Iterator over the ionic steps of a vasprun.xml.

    Args:
        path: Path of the file.
        keep_unconverged: Whether steps are kept whose electronic steps did not converge.

    Yields:
        Tuples of the number of a step and an `ase.Atoms`, or the exception that says why it is none.
    """
    counts, limit, finished = _electronic_steps(path)
    number = 0
    with open_text(path) as file:
        for atoms in ase.io.iread(file, index=":", format="vasp-xml"):
            # ASE returns the initial structure of a run that died before its first energy.
            if atoms.calc is None and not finished:
                break
            unconverged = limit > 1 and number < len(counts) and counts[number] >= limit
            yield number, UNCONVERGED if unconverged and not keep_unconverged else atoms
            number += 1
    if not finished:
        yield number, _cut_off(number)


def _until(file, words, more=0, lines=None):
    """Lines up to one with some words, and a few more; None, with the lines in `lines`, if the file ends before."""
    lines, left = [] if lines is None else lines, None
    for line in file:
        lines.append(line)
        if left is None and words in line:
            left = more
        elif left:
            left -= 1
        if left == 0:
            return lines
    return None


def _outcar_unconverged(lines, limit):
    """Whether the electronic steps of an ionic step ended at their limit, or VASP says so."""
    last = 0
    for line in lines:
        if "EDIFF was not reached" in line:
            return True
        if "EDIFF is reached" in line:
            return False
        if found := ITERATION.search(line):
            last = int(found[1])
    return 1 < limit <= last


def _built(lines, header):
    """Atoms of an ionic step of an OUTCAR, or the exception that says what is wrong with it."""
    try:
        return OUTCARChunk(lines, header).build()
    except Exception as error:  # ASE raises whatever the parser ran into.
        return ValueError(f"The ionic step is damaged or not understood ({type(error).__name__}: {error}).")


def _electronic_steps(path):
    """Numbers of electronic steps of the ionic steps of a vasprun.xml, their limit, and whether the file is complete."""
    counts, steps, limit, last = [], 0, 0, ""
    with open_text(path) as file:
        for line in file:
            steps += line.count("<scstep>")
            if "</calculation>" in line:
                counts.append(steps)
                steps = 0
            elif not counts and 'name="NELM"' in line:
                limit = _number(r'name="NELM">\s*(\d+)', line)
            last = last[-100:] + line
    return counts, limit, "</modeling>" in last


def _number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found and len(found[1]) < 9 else 0


def _cut_off(number):
    return ValueError(f"The file is truncated: VASP did not finish. {number} complete frames precede the end.")
