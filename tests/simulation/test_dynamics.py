"""Integrators and the loop around them."""

import copy

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover, Rollout, Sampling
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
        whole, spreads = Dynamics(model, atoms, ensemble()), []
        for timestep in (1.0, 0.5):
            # What is compiled for one serves for both.
            dynamics = copy.copy(whole)
            dynamics.timestep, dynamics.atoms = timestep, whole.atoms.copy()
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


@pytest.mark.slow_on_tensorflow
def test_what_cannot_be_simulated(model):
    close = Atoms("Si3", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [5.0, 5.0, 5.0]], cell=[10.0] * 3, pbc=True)
    dynamics = Dynamics(model, close, NVE())
    with pytest.raises(ValueError, match=r"lost in step 1, after 0 fs: within one step of 1 fs atoms \[0, 1\] move"):
        dynamics.run(10, verbose=0)
    np.testing.assert_array_equal(dynamics.atoms.positions, close.positions)
    free = Atoms("Si2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    with pytest.raises(ValueError, match="Si2 has no volume"):
        Dynamics(model, free, NPT(300.0))
    with pytest.raises(ValueError, match="temperature is a positive number, in K. Received temperature=0"):
        Langevin(0)
    with pytest.raises(ValueError, match=r"does not know: \['C'\]"):
        Dynamics(model, bulk("C"), NVE()).run(1)


def test_a_molecule_moves_without_a_cell(model):
    trimer = Atoms("Si3", [[0.0, 0.0, 0.0], [2.4, 0.0, 0.0], [0.0, 2.4, 0.0]])
    trajectory = Dynamics(model, trimer, NVE()).run(50, every=1, verbose=0)
    assert np.ptp(trajectory.total_energies) < 1e-3 and np.ptp(trajectory.energies) > 0.03


@pytest.mark.slow_on_tensorflow
def test_melting_compiles_at_most_twice_more(model, silicon):
    dynamics = Dynamics(model, silicon * (2, 2, 2), Langevin(300.0, relaxation=50.0), skin=0.5)
    dynamics.run(100, every=0, verbose=0)
    dynamics.ensemble = Langevin(5000.0, relaxation=50.0)
    hot = dynamics.run(1500, every=50, verbose=0)
    # A melt: atoms have left their sites.
    assert np.linalg.norm(hot.positions[-1] - hot.positions[0], axis=1).mean() > 1.5
    assert len(dynamics._lists.batcher.shapes.known) <= 3


def test_a_structure_far_away_moves_as_one_near_the_origin():
    """In single precision, which would resolve 0.01 Å there."""
    model = kff.ForceField(StillingerWeber.silicon(dtype="float32"), dtype="float32")
    atoms = heated(bulk("Si", a=5.43, cubic=True), 600)
    far = atoms.copy()
    far.positions += [1e5, -1e5, 3e4]
    dynamics = Dynamics(model, atoms, NVE())
    here = dynamics.run(50, every=50, verbose=0)
    dynamics.atoms = far
    there = dynamics.run(50, every=50, verbose=0)
    np.testing.assert_allclose(there.positions - here.positions, np.tile([1e5, -1e5, 3e4], (1, 8, 1)), rtol=0, atol=2e-4)
    assert there.energies[0] == pytest.approx(here.energies[0], abs=1e-4)


@pytest.mark.parametrize(
    "atoms",
    [
        pytest.param(Atoms("Si", cell=[20.0] * 3, pbc=True), marks=pytest.mark.slow_on_tensorflow),
        Atoms("Si3", [[0, 0, 0], [0, 0, 3e4], [1e7, 0, 0]]),
        Atoms("Si3", [[0, 0, 0.1], [0, 0, 2.4], [2e4, 0, 0]]),
    ],
    ids=["atom in a box", "isolated atoms", "pair and atom"],
)
def test_atoms_without_neighbors_fly_straight_on(model, atoms):
    start = heated(atoms, 300)
    trajectory = Dynamics(model, start, NVE()).run(40, every=40, verbose=0)
    assert np.isfinite(trajectory.energies).all() and (trajectory.energies == 0.0).all() == (atoms.positions[0, 2] != 0.1)
    moved = 40 * units.fs * start.get_velocities()[-1]
    np.testing.assert_allclose(trajectory.positions[0, -1], start.positions[-1] + moved, rtol=0, atol=1e-7)
    if len(atoms) == 1:
        for ensemble in (Langevin(300.0), NoseHoover(300.0)):
            trajectory = Dynamics(model, atoms, ensemble).run(40, every=40, verbose=0)
            assert trajectory.energies.tolist() == [0.0] and 0.0 < trajectory.temperatures[0] < 3000.0


@pytest.mark.slow_on_tensorflow
def test_an_atom_that_evaporates_does_not_end_the_run(model):
    slab = bulk("Si", cubic=True)
    slab.pbc = [True, True, False]
    slab = heated(slab + Atoms("Si", [[2.7, 2.7, 9e3]]), 300)
    velocities = slab.get_velocities()
    velocities[-1] = [0.0, 0.0, 4.0]
    slab.set_velocities(velocities)
    dynamics = Dynamics(model, slab, NVE(), timestep=0.5)
    trajectory = dynamics.run(200, every=100, verbose=0)
    assert dynamics.atoms.positions[-1, 2] == pytest.approx(9e3 + 200 * 0.5 * units.fs * 4.0, abs=1e-6)
    assert np.ptp(trajectory.total_energies) < 0.01


def test_a_run_that_explodes_keeps_its_frames(model, silicon):
    # Longer than a third of the shortest period, where the integrator is unstable.
    dynamics = Dynamics(model, heated(silicon, 300), NVE(), timestep=22.0, skin=2.0)
    with pytest.raises(ValueError, match=r"lost in step \d+.* The hottest atom before it is atom \d \(Si\), with") as error:
        dynamics.run(500, every=1, verbose=0)
    assert len(dynamics.trajectory) == dynamics.steps > 0 and f"lost in step {dynamics.steps + 1}," in str(error.value)
    np.testing.assert_array_equal(dynamics.trajectory.positions[-1], dynamics.atoms.positions)
    assert np.isfinite(dynamics.trajectory.energies).all() and np.isfinite(dynamics.atoms.get_momenta()).all()


@pytest.mark.slow_on_tensorflow
def test_numbers_that_are_not_finite_are_no_step(model, silicon):
    """The weights become NaN during a simulation."""
    dynamics = Dynamics(model, silicon, NVE())
    dynamics.run(5, verbose=0)
    model.reference_energies.assign([np.nan])
    with pytest.raises(ValueError, match="energy or the forces of Si8 are not finite at the start"):
        dynamics.run(5, verbose=0)
    with pytest.raises(ValueError, match="lost by step 1: .* energy or forces are no longer finite"):
        Rollout(model, silicon, 3)
    assert dynamics.steps == 5


def test_arguments_that_make_no_sense_are_named(model, silicon):
    for name in ("timestep", "skin"):
        for value in (0.0, -1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match=f"{name} is a positive number"):
                Dynamics(model, silicon, NVE(), **{name: value})
    dynamics = Dynamics(model, silicon, NVE())
    for arguments in ((-1,), (2.5,), (np.nan,), (5, -1)):
        with pytest.raises(ValueError, match="is a whole number, at least 0"):
            dynamics.run(*arguments)
    for made in (lambda: Dynamics(model, Atoms(), NVE()), lambda: Rollout(model, Atoms(), 5)):
        with pytest.raises(ValueError, match="The structure has no atoms"):
            made()
    for arguments, message in (
        ({"steps": 0}, "steps is a whole number, at least 1"),
        ({"steps": 5, "every": 0}, "every is a whole number, at least 1"),
        ({"steps": 5, "every": 6}, "No frame is kept"),
        ({"steps": 5, "timestep": 0.0}, "timestep is a positive number"),
        ({"steps": 5, "ensemble": NPT(300.0)}, "A rollout has a constant cell. Received NPT"),
    ):
        with pytest.raises(ValueError, match=message):
            Rollout(model, silicon, **arguments)
    for arguments, message in (
        ({"frames": 0}, "frames is a whole number, at least 1"),
        ({"every": 0}, "every is a whole number, at least 1"),
        ({"equilibration": -1}, "equilibration is a whole number, at least 0"),
        ({"timestep": -1.0}, "timestep is a positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            Sampling(model, silicon, Langevin(300.0), **arguments)
    with pytest.raises(ValueError, match="pressure is a finite number"):
        NPT(300.0, np.nan)
    broken = silicon.copy()
    broken.set_masses([0.0] * 8)
    with pytest.raises(ValueError, match="masses that are not positive"):
        Dynamics(model, broken, NVE())
