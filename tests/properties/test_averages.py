"""Radial distribution functions of stored structures."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from keras_ff.properties import RadialDistribution

pytestmark = pytest.mark.usefixtures("float64")

LIQUID = Path(__file__).parents[1] / "simulation" / "files" / "si_liquid.npz"


def test_liquid_silicon_has_the_distribution_of_lammps():
    known = np.load(LIQUID)
    length = float(known["length"])
    frames = [Atoms("Si216", positions=positions, cell=[length] * 3, pbc=True) for positions in known["positions"]]
    found = RadialDistribution.of_trajectory(frames, known["r"], width=0.05)
    # One frame in a hundred of those that LAMMPS averaged over.
    assert np.sqrt(np.mean((found - known["g"]) ** 2)) < 0.03 and abs(np.mean(found - known["g"])) < 2e-3
