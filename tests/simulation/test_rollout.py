"""Short trajectories and their derivatives."""

import numpy as np
import pytest
from ase import Atoms
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.potentials import EDIP, NeuralIL, SplineMEAM, StillingerWeber, Sum
from keras_ff.properties import RadialDistribution
from keras_ff.properties.base import derivative
from keras_ff.simulation import Dynamics, Langevin, Rollout

pytestmark = pytest.mark.usefixtures("float64")

QUANTITIES = ("dPE", "dMSD", "dKE")
STEPS = ("10", "200")


@pytest.mark.parametrize(
    "name, potential",
    [
        pytest.param("sw", StillingerWeber, marks=pytest.mark.slow_on_tensorflow),
        pytest.param("edip", EDIP, marks=pytest.mark.slow),
    ],
)
def test_trajectory_and_derivatives_are_those_of_lammps(nve, name, potential):
    known = nve.reference[name]
    parameters = potential.silicon(train=list(known["sensitivity"])).parameters()
    model = kff.ForceField(potential.silicon(train=list(known["sensitivity"])))
    rollout = Rollout(model, nve.atoms, 200)
    start, mass = nve.atoms.positions, nve.atoms.get_masses()[0]

    def chosen(batch, choice):
        frames = rollout.frames(batch)
        found = []
        for place in (int(step) - 1 for step in STEPS):
            moved = frames["positions"][place] - ops.convert_to_tensor(start)
            velocities = frames["velocities"][place]
            found += [
                frames["energy"][place],
                ops.sum(moved * moved) / len(start),
                0.5 * mass * ops.sum(velocities * velocities),
            ]
        return ops.sum(choice * ops.stack(found)), frames

    # The trajectory is that of the function that is differentiated.
    gradient = derivative(model, chosen, has_aux=True)
    for place, (step, quantity) in enumerate((step, quantity) for step in STEPS for quantity in QUANTITIES):
        (_, frames), found = gradient(rollout.batch, np.eye(6)[place])
        for weight, derivatives in zip(model.trainable_weights, found):
            parameter = weight.path.split("/")[-1]
            expected = known["sensitivity"][parameter][step][quantity]
            # Weights are logarithms, as parameters are positive.
            value = float(ops.convert_to_numpy(derivatives).ravel()[0]) / float(parameters[parameter].ravel()[0])
            assert value == pytest.approx(expected, rel=1e-6), (parameter, step, quantity)
    frames = {key: ops.convert_to_numpy(x) for key, x in frames.items()}
    for step in STEPS:
        moved = frames["positions"][int(step) - 1] - start
        np.testing.assert_allclose(moved[:8], known["frames"][step]["disp"], rtol=0, atol=1e-12)
        velocities = frames["velocities"][int(step) - 1] * nve.picosecond
        np.testing.assert_allclose(velocities[:8], known["frames"][step]["v"], rtol=0, atol=1e-9)
        assert frames["energy"][int(step) - 1] == pytest.approx(known["frames"][step]["pe"], abs=1e-9)


def stillinger_weber():
    # Room for a sigma, whose derivative has one side where it is the cutoff.
    return StillingerWeber.silicon(train=True, cutoff=4.0)


def others():
    edip, splines = EDIP.silicon(train=True, cutoff=3.3), SplineMEAM.untrained(["Si"], cutoff=4.5, knots=6)
    return Sum([edip, splines, NeuralIL(["Si"], cutoff=4.0, n_max=1)])


@pytest.mark.parametrize("make", [stillinger_weber, pytest.param(others, marks=pytest.mark.slow)])
def test_derivatives_of_a_hot_trajectory_are_finite_and_those_of_differences(make, silicon):
    model = kff.ForceField(make())
    rollout = Rollout(model, silicon, 24, Langevin(3000.0), every=3)
    distribution = RadialDistribution(rollout, np.linspace(2.0, 5.0, 7), width=0.2)

    def loss(batch):
        return ops.sum(distribution.compute(batch) ** 2)

    gradient = derivative(model, loss)
    _, found = gradient(distribution.batch)
    found = {id(weight): ops.convert_to_numpy(x) for weight, x in zip(model.trainable_weights, found)}
    random, step = np.random.default_rng(0), 1e-5
    for term in model.potential.terms():
        weights = term.trainable_weights
        own = [found[id(weight)] for weight in weights]
        assert all(np.isfinite(x).all() for x in own) and any(np.abs(x).max() > 1e-3 for x in own)
        values = [ops.convert_to_numpy(weight).copy() for weight in weights]
        directions = [random.normal(size=value.shape) for value in values]
        losses = []
        for sign in (1, -1, 0):
            for weight, value, direction in zip(weights, values, directions):
                weight.assign(value + sign * step * direction)
            distribution.update()
            losses.append(float(gradient(distribution.batch)[0]))
        slope = (losses[0] - losses[1]) / (2 * step)
        assert sum((x * direction).sum() for x, direction in zip(own, directions)) == pytest.approx(slope, rel=1e-5)


@pytest.mark.slow_on_tensorflow
def test_a_rollout_is_the_trajectory_of_dynamics(model, silicon):
    rollout = Rollout(model, silicon, 45, Langevin(2000.0), seed=3)
    frames = backend.jit(rollout.frames, layer=model)(rollout.batch)
    trajectory = Dynamics(model, silicon, Langevin(2000.0), seed=3).run(45, every=1, verbose=0)
    np.testing.assert_allclose(ops.convert_to_numpy(frames["positions"]), trajectory.positions, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ops.convert_to_numpy(frames["energy"]), trajectory.energies, rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
def test_atoms_that_fly_apart_are_named(model):
    dimer = Atoms("Si2", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.6]], cell=[10.0] * 3, pbc=True)
    with pytest.raises(ValueError, match=r"lost by step 1: within 1 steps of 2 fs atoms \[0, 1\] move by more than 2 Å"):
        Rollout(model, dimer, 20, Langevin(300.0), timestep=2.0)
