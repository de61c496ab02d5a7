"""Silicon that moves."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

import keras_ff as kff
from keras_ff.potentials import StillingerWeber

FILES = Path(__file__).parent / "files"


@pytest.fixture(scope="module")
def silicon():
    """Eight atoms of silicon, rattled."""
    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture
def model():
    return kff.ForceField(StillingerWeber.silicon(train=["epsilon", "lam"]))


@pytest.fixture(scope="module")
def nve():
    """Trajectories of LAMMPS and their start, as `ase.Atoms` whose masses give the kinetic energy of LAMMPS' constants."""
    reference = json.loads((FILES / "si_nve.json").read_text())
    start = reference["start"]
    picosecond = 1000.0 * units.fs
    atoms = Atoms("Si64", positions=start["x0"], cell=[start["cell_L"]] * 3, pbc=True)
    atoms.set_masses([start["mass"] * start["mvv2e"] * picosecond**2] * 64)
    atoms.set_velocities(np.array(start["v0_A_per_ps"]) / picosecond)
    return SimpleNamespace(reference=reference, atoms=atoms, picosecond=picosecond)


@pytest.fixture(scope="module")
def liquid():
    """Liquid silicon of LAMMPS: arrays, and its frames as `ase.Atoms`."""
    arrays = dict(np.load(FILES / "si_liquid.npz"))
    length = float(arrays["length"])
    frames = [Atoms("Si216", positions=positions, cell=[length] * 3, pbc=True) for positions in arrays["positions"]]
    return SimpleNamespace(**arrays, frames=frames)
