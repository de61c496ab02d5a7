"""Integrators and the loop around them."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover
from keras_ff.simulation.start import thermal_velocities

pytestmark = pytest.mark.usefixtures("float64")


def heated(atoms, temperature):
    atoms = atoms.copy()
    atoms.set_velocities(thermal_velocities(atoms.get_masses(), temperature, np.random.default_rng(0)))
    return atoms


def test_the_trajectory_is_that_of_ase(model, silicon):
    """Hot enough that lists are renewed every few steps; ASE's neighbors come from another list."""
    atoms = heated(silicon * (2, 1, 1), 6000)
    dynamics = Dynamics(model, atoms, NVE(), skin=0.3)
    trajectory = dynamics.run(60, every=20, verbose=0)
    atoms.calc = kff.Calculator(model)
    verlet = VelocityVerlet(atoms, 1.0 * units.fs)
    for frame, energy in zip(trajectory, trajectory.energies, strict=True):
        verlet.run(20)
        np.testing.assert_allclose(frame.positions, atoms.positions, rtol=0, atol=1e-10)
        np.testing.assert_allclose(frame.get_velocities(), atoms.get_velocities(), rtol=0, atol=1e-10)
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(trajectory.times, [20.0, 40.0, 60.0])
    assert trajectory.temperatures[-1] == pytest.approx(atoms.get_temperature(), rel=1e-9)
    np.testing.assert_array_equal(dynamics.atoms.positions, trajectory.positions[-1])


def test_energy_is_conserved_to_second_order_with_and_without_a_thermostat(model, silicon):
    atoms = heated(silicon, 1500)
    for ensemble in (NVE, lambda: NoseHoover(1000.0, relaxation=50.0)):
        spreads = []
        for timestep in (1.0, 0.5):
            dynamics = Dynamics(model, atoms, ensemble(), timestep=timestep)
            spreads.append(np.ptp(dynamics.run(round(200 / timestep), every=1, verbose=0).total_energies))
        assert spreads[0] < 0.05 and spreads[0] / spreads[1] == pytest.approx(4.0, rel=0.2)
        assert np.abs(dynamics.atoms.get_momenta().sum(axis=0)).max() < 1e-10


def test_the_same_seed_gives_the_same_trajectory_in_one_run_or_two(model, silicon):
    whole = Dynamics(model, silicon, Langevin(800.0), seed=5)
    whole.run(130, every=0, verbose=0)
    parts = Dynamics(model, silicon, Langevin(800.0), seed=5)
    for steps in (30, 100):
        parts.run(steps, every=0, verbose=0)
    np.testing.assert_allclose(parts.atoms.positions, whole.atoms.positions, rtol=0, atol=1e-9)
    assert parts.steps == whole.steps == 130


def test_what_cannot_be_simulated(model):
    close = Atoms("Si3", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [5.0, 5.0, 5.0]], cell=[10.0] * 3, pbc=True)
    dynamics = Dynamics(model, close, NVE())
    with pytest.raises(ValueError, match=r"lost in step 1, after 0 fs: within one step of 1 fs atoms \[0, 1\] move"):
        dynamics.run(10, verbose=0)
    np.testing.assert_array_equal(dynamics.atoms.positions, close.positions)
    free = Atoms("Si2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    with pytest.raises(ValueError, match="Si2 has no volume"):
        Dynamics(model, free, NPT(300.0))
    with pytest.raises(ValueError, match="temperature is a positive number, in K. Received 0"):
        Langevin(0)
    with pytest.raises(ValueError, match=r"does not know: \['C'\]"):
        Dynamics(model, bulk("C"), NVE()).run(1)


def test_a_molecule_moves_without_a_cell(model):
    trimer = Atoms("Si3", [[0.0, 0.0, 0.0], [2.4, 0.0, 0.0], [0.0, 2.4, 0.0]])
    trajectory = Dynamics(model, trimer, NVE()).run(50, every=1, verbose=0)
    assert np.ptp(trajectory.total_energies) < 1e-3 and np.ptp(trajectory.energies) > 0.03


def test_melting_compiles_at_most_twice_more(model, silicon):
    dynamics = Dynamics(model, silicon * (2, 2, 2), Langevin(300.0, relaxation=50.0), skin=0.5)
    dynamics.run(100, every=0, verbose=0)
    dynamics.ensemble = Langevin(5000.0, relaxation=50.0)
    hot = dynamics.run(1500, every=50, verbose=0)
    # A melt: atoms have left their sites.
    assert np.linalg.norm(hot.positions[-1] - hot.positions[0], axis=1).mean() > 1.5
    assert len(dynamics._batcher.shapes.known) <= 3


def test_a_structure_far_away_moves_as_one_near_the_origin():
    """In single precision, which would resolve 0.01 Å there."""
    model = kff.ForceField(StillingerWeber.silicon(dtype="float32"), dtype="float32")
    atoms = heated(bulk("Si", a=5.43, cubic=True), 600)
    far = atoms.copy()
    far.positions += [1e5, -1e5, 3e4]
    here, there = (Dynamics(model, one, NVE()).run(50, every=50, verbose=0) for one in (atoms, far))
    np.testing.assert_allclose(there.positions - here.positions, np.tile([1e5, -1e5, 3e4], (1, 8, 1)), rtol=0, atol=2e-4)
    assert there.energies[0] == pytest.approx(here.energies[0], abs=1e-4)
