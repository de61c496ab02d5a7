"""Reweighted averages."""

import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms
from keras import ops

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import Density, MeanEnergy, Pressure, RadialDistribution
from keras_ff.simulation import NPT, NVE, Langevin, Sampling

pytestmark = pytest.mark.usefixtures("float64")


def total(x):
    return ops.sum(x * x)


def silicon_model():
    return kff.ForceField(StillingerWeber.silicon(train=["lam"]))


@pytest.mark.slow_on_tensorflow
def test_averages_over_frames_of_lammps(liquid):
    """20 frames; the derivatives by lambda are known from simulations with 20 and 22."""
    model = silicon_model()
    sampling = Sampling.of_frames(model, liquid.frames, temperature=2000)
    np.testing.assert_allclose(sampling.batch["energies"], liquid.energies, rtol=0, atol=1e-8)
    assert sampling.effective == pytest.approx(20, rel=1e-12)
    for average, values, errors in (
        (MeanEnergy(sampling), liquid.energy_per_atom, liquid.energy_error),
        (Pressure(sampling), liquid.pressure, liquid.pressure_error),
    ):
        found, gradient = average.gradient(lambda x: x)
        slope, error = (values[2] - values[0]) / 2, np.hypot(errors[2], errors[0]) / 2
        # The errors of 20 frames are those of the longer simulation there times the root of the ratio of lengths, some 2.5, and
        # fluctuations, of which derivatives consist, are known to a fifth.
        assert found == pytest.approx(values[1], abs=10 * errors[1])
        assert gradient[0].item() / 21.0 == pytest.approx(slope, abs=0.3 * slope + 2 * error)


@pytest.mark.slow_on_tensorflow
def test_the_derivative_is_that_of_the_reweighted_average(liquid):
    model = silicon_model()
    sampling = Sampling.of_frames(model, liquid.frames[:4], temperature=2000)
    distribution = RadialDistribution(sampling, np.linspace(2.2, 6.0, 20), width=0.1)
    for average in (MeanEnergy(sampling), Pressure(sampling), distribution):
        gradient = average.gradient(total)[1][0].item()
        weight, step = model.trainable_weights[0], 1e-4
        value, values = float(np.asarray(weight.value).item()), []
        for sign in (1, -1):
            weight.assign(np.full(weight.shape, value + sign * step))
            values.append(average.gradient(total)[0])
        weight.assign(np.full(weight.shape, value))
        assert gradient == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


def test_frames_that_no_longer_count_are_refused_or_simulated_again(liquid):
    model = silicon_model()
    stored = Sampling.of_frames(model, liquid.frames, temperature=2000)
    crystal = bulk("Si", a=5.43, cubic=True)
    simulated = Sampling(model, crystal, Langevin(1000.0), frames=20, every=10, equilibration=100, verbose=0)
    before = simulated.batch["positions"]
    model.potential.set_parameters(lam=21.01)
    stored.update()
    simulated.update()
    assert simulated.simulations == 1 and simulated.batch["positions"] is before and 0.9 < simulated.effective / 20 < 1.0
    model.potential.set_parameters(lam=30.0, epsilon=20.0)
    with pytest.raises(ValueError, match="Of 20 frames only .* count effectively"):
        stored.update()
    simulated.update()
    assert simulated.simulations == 2 and simulated.batch["positions"] is not before
    assert simulated.effective == pytest.approx(20, rel=1e-6)


@pytest.mark.slow_on_tensorflow
def test_density_under_pressure_and_the_distribution_of_the_frames():
    model = silicon_model()
    crystal = bulk("Si", a=5.43, cubic=True)
    sampling = Sampling(model, crystal, NPT(300.0, relaxation=50.0), frames=10, every=10, equilibration=200, verbose=0)
    # 28.085 amu in 20.01 Å³
    volumes = np.array([atoms.get_volume() for atoms in sampling.atoms])
    density = Density(sampling)
    assert density() == pytest.approx(np.mean(8 * 28.085 * 1.66053907 / volumes), rel=1e-6)
    assert density() == pytest.approx(2.33, rel=0.03)
    radii = np.linspace(2.0, 5.0, 30)
    np.testing.assert_allclose(
        RadialDistribution(sampling, radii)(), RadialDistribution.of_trajectory(sampling.atoms, radii), rtol=0, atol=1e-9
    )


def test_what_cannot_be_sampled(model, silicon):
    with pytest.raises(ValueError, match="NVE has no temperature"):
        Sampling(model, silicon, NVE())
    with pytest.raises(ValueError, match="smallest is a fraction of the frames"):
        Sampling(model, silicon, Langevin(300.0), smallest=2)


def test_a_pressure_needs_all_forces_and_a_sample_its_frames(model, silicon):
    with pytest.raises(ValueError, match="frames with the same atoms in each. Received 0 frames"):
        Sampling.of_frames(model, [], 300.0)
    with pytest.raises(ValueError, match="temperature is a positive number"):
        Sampling.of_frames(model, [silicon], -1.0)
    held = silicon.copy()
    held.set_constraint(FixAtoms([0]))
    with pytest.raises(ValueError, match=r"pressure of atoms with constraints \(FixAtoms\) is not defined"):
        Pressure(Sampling.of_frames(model, [held], 300.0))
