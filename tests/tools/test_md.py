"""Molecular dynamics from the command line."""

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk

import keras_ff as kff

# What is simulated is tested with simulations; this is files and words.
pytestmark = pytest.mark.slow_on_tensorflow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("md")
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(folder / "silicon.keras")
    ase.io.write(folder / "start.xyz", bulk("Si", cubic=True))
    return folder


def test_a_run_is_a_table_and_a_trajectory_that_goes_on(files, keras_ff):
    words = ["md", files / "silicon.keras", files / "start.xyz", "-o", files / "run.traj", "--every", "20", "--temperature", "600"]
    done = keras_ff(*words, "--steps", "60")
    assert done.status == 0, done.err
    frames = ase.io.read(files / "run.traj", ":")
    assert [frame.info["step"] for frame in frames] == [20, 40, 60]
    rows = [line.split() for line in done.out.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    for row, frame in zip(rows, frames, strict=True):
        potential, kinetic = frame.get_potential_energy(), frame.get_kinetic_energy()
        pressure = -frame.get_stress(include_ideal_gas=True)[:3].mean() / units.GPa
        expected = frame.info["step"], 1e-3 * frame.info["step"], frame.get_temperature(), potential, kinetic, potential + kinetic
        np.testing.assert_allclose([float(word) for word in row], [*expected, pressure, frame.get_volume()], atol=0.06)
        assert 100 < frame.get_temperature() < 1200
    again = keras_ff(*words, "--steps", "60")
    assert again.status == 2 and "Go on with --resume" in again.err
    other = keras_ff(*words[:-1], "300", "--steps", "100", "--resume")
    assert other.status == 2 and "begun with temperature 600.0 (now 300.0)" in other.err
    assert keras_ff(*words, "--steps", "100", "--resume").status == 0
    frames = ase.io.read(files / "run.traj", ":")
    assert [frame.info["step"] for frame in frames] == [20, 40, 60, 80, 100]
    # It goes on from where it was, as if it had not been interrupted.
    assert keras_ff(*words[:4], files / "whole.traj", *words[5:], "--steps", "100").status == 0
    whole = ase.io.read(files / "whole.traj", -1)
    np.testing.assert_allclose(frames[-1].positions, whole.positions, rtol=0, atol=1e-3)
    assert np.abs(frames[-1].positions - frames[2].positions).max() > 0.05


def test_newtons_equations_keep_the_energy(files, keras_ff):
    words = ["md", files / "silicon.keras", files / "start.xyz", "-o", files / "nve.traj", "--ensemble", "nve"]
    assert keras_ff(*words, "--temperature", "600", "--steps", "60", "--every", "20").status == 0
    frames = ase.io.read(files / "nve.traj", ":")
    assert np.ptp([frame.get_total_energy() for frame in frames]) < 2e-3


def test_what_cannot_be(files, keras_ff):
    words = ["md", files / "silicon.keras", files / "start.xyz"]
    for more, text in [
        (["-o", files / "x.xyz"], "ends with .traj"),
        (["-o", files / "x.traj", "--steps", "5"], "No frame is kept"),
        (["-o", files / "x.traj", "--resume"], "There is no trajectory"),
    ]:
        done = keras_ff(*words, *more)
        assert done.status == 2 and text in done.err
    (files / "broken.traj").write_bytes(b"no trajectory")
    done = keras_ff(*words, "-o", files / "broken.traj", "--resume")
    assert done.status == 2 and "no trajectory of keras-ff md" in done.err
