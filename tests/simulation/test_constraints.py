"""Constraints of ASE: what holds an atom is honored, everything else is refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian, FixCom, FixedLine, FixedPlane, FixScaled, Hookean
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover, Rollout, Sampling
from keras_ff.simulation.constraints import FreeDirections, Held

pytestmark = pytest.mark.usefixtures("float64")


def freedom(atoms):
    """Degrees of freedom as ASE counts them; 3.23 has no method for it."""
    return 3 * len(atoms) - sum(one.get_removed_dof(atoms) for one in atoms.constraints)


@pytest.fixture
def held(silicon):
    """Sixteen atoms of silicon in an oblique cell, with a constraint of each kind that is honored."""
    atoms = silicon * (2, 1, 1)
    atoms.set_cell(atoms.cell.array + [[0, 0, 0], [1.0, 0, 0], [0, 0, 0]], scale_atoms=True)
    atoms.set_constraint(
        [
            FixAtoms([0, 1, 2]),
            FixCartesian([3], (True, False, False)),
            FixedPlane([4], (1, 1, 0)),
            FixedLine([5], (1, 2, 3)),
            FixScaled([6], (True, False, True)),
        ]
    )
    return atoms


def assert_held(held, positions):
    """What constraints hold is where it was, for positions (..., atoms, 3); the other atoms have moved."""
    moved = positions - held.positions
    assert not moved[..., :3, :].any() and not moved[..., 3, 0].any()
    np.testing.assert_allclose(moved[..., 4, :] @ [1, 1, 0], 0.0, atol=1e-14)
    np.testing.assert_allclose(np.cross(moved[..., 5, :], [1, 2, 3]), 0.0, atol=1e-13)
    np.testing.assert_allclose(np.cross(moved[..., 6, :], held.cell[1]), 0.0, atol=1e-12)
    assert (np.abs(moved[..., 3:, :]).max(axis=(-1)) > 1e-4).all()


def test_degrees_of_freedom(held):
    free = FreeDirections(held)
    # 48 - 9 - 1 - 1 - 2 - 2
    assert free.count == free.thermal == freedom(held) == 33
    assert free.held.sum() == 7
    np.testing.assert_allclose(free.projections @ free.projections, free.projections, atol=1e-14)
    held.set_constraint()
    assert FreeDirections(held).thermal == 45 and not FreeDirections(held).held.any()
    # All atoms can still move together within the plane.
    held.set_constraint(FixCartesian(range(16), (False, False, True)))
    free = FreeDirections(held)
    assert (free.count, free.thermal) == (32, 30)
    np.testing.assert_allclose(free.translations, np.diag([1.0, 1.0, 0.0]), atol=1e-14)
    # Two planes have a line in common, whatever their order.
    held.set_constraint([FixedPlane([0], (1, 0, 0)), FixedPlane([0], (1, 1, 0))])
    np.testing.assert_allclose(FreeDirections(held).projections[0], np.diag([0.0, 0.0, 1.0]), atol=1e-14)
    held.set_constraint(FixAtoms(range(16)))
    assert FreeDirections(held).count == 0


def test_the_optimizers_of_ase_take_them(held):
    constraint, moved = Held(FreeDirections(held)), held.copy()
    moved.set_constraint(constraint)
    moved.set_positions(moved.positions + np.random.default_rng(0).normal(size=(16, 3)))
    assert_held(held, moved.positions)
    assert freedom(moved) == 33


@pytest.mark.parametrize(
    "ensemble",
    [
        NVE(),
        pytest.param(Langevin(900.0, relaxation=20.0), marks=pytest.mark.slow_on_tensorflow),
        pytest.param(NoseHoover(900.0, relaxation=40.0), marks=pytest.mark.slow_on_tensorflow),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_is_held_stays_and_thermostats_heat_the_degrees_of_freedom_that_are_left(model, held, ensemble):
    start = held.copy()
    start.set_velocities(0.02 * np.random.default_rng(0).normal(size=(16, 3)))
    # Hot enough that lists are renewed.
    dynamics = Dynamics(model, start, ensemble, skin=0.2, seed=2)
    trajectory = dynamics.run(150, every=30, verbose=0)
    assert_held(held, trajectory.positions)
    np.testing.assert_array_equal(dynamics.atoms.positions, trajectory.positions[-1])
    assert not trajectory.velocities[:, :3].any()
    assert trajectory.temperatures[-1] == pytest.approx(dynamics.atoms.get_temperature(), rel=1e-12)
    assert trajectory[-1].get_temperature() == pytest.approx(dynamics.atoms.get_temperature(), rel=1e-12)
    if not isinstance(ensemble, Langevin):
        assert np.ptp(trajectory.total_energies) < 5e-3
    if ensemble.temperature:
        dynamics.run(150, every=0, verbose=0)
        frames = dynamics.run(3000, every=5, verbose=0)
        assert_held(held, frames.positions[-1])
        # 33 degrees of freedom, some 80 independent values: 4 standard errors.
        temperatures = [frame.get_temperature() for frame in frames]
        assert np.mean(temperatures) == pytest.approx(900.0, rel=4 * np.sqrt(2 / 33 / 80))


@pytest.mark.slow_on_tensorflow
def test_a_rollout_holds_them_too_and_is_the_trajectory_of_dynamics(model, held):
    rollout = Rollout(model, held, 25, Langevin(600.0), seed=3)
    positions = ops.convert_to_numpy(backend.jit(rollout.frames, layer=model)(rollout.batch)["positions"])
    assert_held(held, positions[-1])
    trajectory = Dynamics(model, held, Langevin(600.0), seed=3).run(25, every=1, verbose=0)
    np.testing.assert_allclose(positions, trajectory.positions, rtol=0, atol=1e-11)


def test_single_precision_holds_exactly_and_elsewhere():
    model = kff.ForceField(StillingerWeber.silicon(dtype="float32"), dtype="float32")
    slab = bulk("Si", cubic=True) * (1, 1, 2)
    slab.pbc = [True, True, False]
    slab.positions += [0.1234567, 1e3 / 3, 1e4 / 7]
    slab.set_constraint(FixAtoms(range(4)))
    dynamics = Dynamics(model, slab, Langevin(600.0))
    frames = dynamics.run(20, every=5, verbose=0)
    assert not (frames.positions - slab.positions)[:, :4].any()
    np.testing.assert_array_equal(dynamics.atoms.positions[:4], slab.positions[:4])


@pytest.mark.parametrize(
    "constraint", [FixBondLengths([(0, 1)]), Hookean(0, 1, 1.0, rt=2.0), FixCom()], ids=lambda one: type(one).__name__
)
def test_other_constraints_are_refused_by_name(model, silicon, constraint):
    atoms, name = silicon.copy(), type(constraint).__name__
    atoms.set_constraint([FixAtoms([0]), constraint])
    for made in (
        lambda: Dynamics(model, atoms, NVE()),
        lambda: Rollout(model, atoms, 5),
        lambda: Sampling(model, atoms, Langevin(300.0)),
    ):
        with pytest.raises(ValueError, match=f"not honored here: {name}. Honored are FixAtoms, FixCartesian"):
            made()


def test_a_pressure_moves_what_is_held_and_is_refused(model, held):
    with pytest.raises(ValueError, match="FixedPlane.*a pressure moves all atoms with the cell. Simulate at constant volume"):
        Dynamics(model, held, NPT(300.0))
    dynamics = Dynamics(model, held, NVE())
    dynamics.atoms.set_constraint()
    with pytest.raises(ValueError, match="constraints of the atoms have changed"):
        dynamics.run(1)


@pytest.mark.slow_on_tensorflow
def test_with_all_atoms_fixed_nothing_moves(model, silicon):
    silicon = silicon.copy()
    silicon.set_constraint(FixAtoms(range(8)))
    for ensemble in (Langevin(300.0), NoseHoover(300.0)):
        trajectory = Dynamics(model, silicon, ensemble).run(5, every=5, verbose=0)
        np.testing.assert_array_equal(trajectory.positions[0], silicon.positions)
        assert trajectory.temperatures.tolist() == [0.0]


def test_a_single_atom_keeps_its_momentum_and_its_three_degrees_of_freedom():
    assert FreeDirections(Atoms("Si")).thermal == 3
