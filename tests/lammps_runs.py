"""Inputs and results of LAMMPS that the tests of its plugin share."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

NATIVE = Path(__file__).parent / "potentials" / "files" / "Si.sw"
# Of the environment, which may be not the active one.
PLACES = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
PROGRAMS = {name: shutil.which(name, path=PLACES) for name in ("lmp", "mpirun")}
# About LAMMPS and the plugin, and not about the backend that wrote the artifact.
of_either = pytest.mark.slow_on_jax


def keras_ff(folder):
    return f"pair_style keras_ff\npair_coeff * * {folder}"


def thermo(done, run=0):
    """Rows of the table that LAMMPS prints of one of its runs."""
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    lines = done.stdout.splitlines()
    first = [place for place, line in enumerate(lines) if line.split()[:1] == ["Step"]][run] + 1
    last = [place for place, line in enumerate(lines) if line.startswith("Loop time")][run]
    return np.array([line.split() for line in lines[first:last]], float)


def rattled(repeat=(2, 2, 2), seed=0, crystal=None):
    """A triclinic cell whose axes LAMMPS does not turn."""
    atoms = (crystal or bulk("Si", cubic=True)) * repeat
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [-0.05, 0.08, 1]], scale_atoms=True)
    atoms.rattle(0.1, seed=seed)
    return atoms
