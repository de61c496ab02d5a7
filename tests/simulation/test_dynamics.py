"""Integrators and the loop around them."""

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover
from keras_ff.simulation.dynamics import thermal_velocities

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


@pytest.mark.parametrize("ensemble, freedom", [(Langevin(3000.0, relaxation=50.0), 24), (NoseHoover(3000.0, relaxation=50.0), 21)])
def test_kinetic_energy_has_the_canonical_distribution(model, silicon, ensemble, freedom):
    dynamics = Dynamics(model, silicon, ensemble, seed=1)
    dynamics.run(2000, every=0, verbose=0)
    # A melt: a chain of thermostats does not reach all of a crystal, whose modes hardly exchange energy.
    energies = dynamics.run(10_000, every=10, verbose=0).kinetic_energies / (0.5 * units.kB * 3000.0)
    # A chi-squared distribution. Some 200 independent values: 5 standard errors of the mean, 4 of the variance.
    assert energies.mean() == pytest.approx(freedom, abs=5 * np.sqrt(2 * freedom / 200))
    assert energies.var() == pytest.approx(2 * freedom, rel=4 * np.sqrt(2 / 200))


@pytest.mark.slow_on_tensorflow
def test_an_ideal_gas_has_the_volume_of_its_pressure():
    """<V> = (N + 1) kT / P, and the variance of V is (N + 1) (kT / P)²."""
    model = kff.ForceField(StillingerWeber.silicon())
    model.potential.set_parameters(epsilon=1e-12)
    atoms, share = Atoms("Si4", np.random.default_rng(0).uniform(0, 10, (4, 3)), cell=[10.0] * 3, pbc=True), 200.0
    pressure = units.kB * 300.0 / share / units.GPa
    ensemble = NPT(300.0, pressure, relaxation=100.0, pressure_relaxation=100.0, bulk_modulus=pressure)
    dynamics = Dynamics(model, atoms, ensemble, timestep=2.0, skin=4.0)
    dynamics.run(1000, every=0, verbose=0)
    volumes = dynamics.run(30_000, every=20, verbose=0).volumes / share
    blocks = volumes.reshape(20, -1)
    # Within four standard errors, as 20 blocks of time estimate them.
    for values, expected in ((blocks.mean(axis=1), 5.0), (((blocks - 5.0) ** 2).mean(axis=1), 5.0)):
        assert abs(values.mean() - expected) < 4 * values.std(ddof=1) / np.sqrt(20)
    assert volumes.mean() == pytest.approx(5.0, rel=0.15)


def test_a_crystal_under_pressure_shrinks_by_its_compressibility(model):
    """Stillinger-Weber silicon has a bulk modulus of 101.4 GPa (LAMMPS)."""
    crystal = bulk("Si", a=5.430949778405213, cubic=True) * (2, 2, 2)
    ensemble = NPT(20.0, 2.0, relaxation=50.0, pressure_relaxation=200.0, bulk_modulus=100.0)
    dynamics = Dynamics(model, crystal, ensemble)
    dynamics.run(2000, every=0, verbose=0)
    change = dynamics.run(1000, verbose=0).volumes.mean() / crystal.get_volume() - 1.0
    # -P / B (1 - (1 + B') P / 2 B) with B' of about 4, and some thermal expansion.
    assert change == pytest.approx(-2.0 / 101.4 * (1 - 2.5 * 2.0 / 101.4), rel=0.05)


def test_the_same_seed_gives_the_same_trajectory_in_one_run_or_two(model, silicon):
    whole = Dynamics(model, silicon, Langevin(800.0), seed=5)
    whole.run(130, every=0, verbose=0)
    parts = Dynamics(model, silicon, Langevin(800.0), seed=5)
    for steps in (30, 100):
        parts.run(steps, every=0, verbose=0)
    np.testing.assert_allclose(parts.atoms.positions, whole.atoms.positions, rtol=0, atol=1e-9)
    assert parts.steps == whole.steps == 130


def test_the_temperature_may_change_and_the_kind_of_ensemble_may_not(model, silicon):
    dynamics = Dynamics(model, silicon, Langevin(1500.0, relaxation=10.0))
    hot = dynamics.run(500, verbose=0).temperatures[20:].mean()
    dynamics.ensemble = Langevin(100.0, relaxation=10.0)
    cold = dynamics.run(500, verbose=0).temperatures[20:].mean()
    assert 1000 < hot < 2000 and 60 < cold < 160
    with pytest.raises(ValueError, match="The ensemble is a Langevin"):
        dynamics.ensemble = NoseHoover(100.0)


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


def test_a_trajectory_is_frames_of_ase(model, silicon, tmp_path):
    trajectory = Dynamics(model, silicon, Langevin(300.0)).run(30, every=10, verbose=0)
    assert len(trajectory) == 3 and len(trajectory[1:]) == 2
    trajectory.write(tmp_path / "silicon.extxyz")
    frames = ase.io.read(tmp_path / "silicon.extxyz", ":")
    np.testing.assert_allclose(frames[2].positions, trajectory.positions[2], atol=1e-7)
    assert frames[2].get_potential_energy() == pytest.approx(trajectory.energies[2], abs=1e-6)
    assert frames[2].get_kinetic_energy() == pytest.approx(trajectory.kinetic_energies[2], rel=1e-5)


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
