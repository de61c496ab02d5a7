"""Stored frames."""

import ase.io
import numpy as np
import pytest

from keras_ff.simulation import Dynamics, Langevin

pytestmark = pytest.mark.usefixtures("float64")


def test_a_trajectory_is_frames_of_ase(model, silicon, tmp_path):
    trajectory = Dynamics(model, silicon, Langevin(300.0)).run(30, every=10, verbose=0)
    assert len(trajectory) == 3 and len(trajectory[1:]) == 2
    trajectory.write(tmp_path / "silicon.extxyz")
    frames = ase.io.read(tmp_path / "silicon.extxyz", ":")
    np.testing.assert_allclose(frames[2].positions, trajectory.positions[2], atol=1e-7)
    assert frames[2].get_potential_energy() == pytest.approx(trajectory.energies[2], abs=1e-6)
    assert frames[2].get_kinetic_energy() == pytest.approx(trajectory.kinetic_energies[2], rel=1e-5)
