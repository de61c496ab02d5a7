"""Fits to what simulations show."""

import keras
import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import plots
from keras_ff.fitting import Fit, Target
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import RadialDistribution, VibrationalDensity
from keras_ff.simulation import Dynamics, Langevin, Rollout, Sampling

pytestmark = pytest.mark.usefixtures("float64")

RADII = np.linspace(2.0, 5.0, 31)


def model(epsilon):
    potential = StillingerWeber.silicon(train=["epsilon"])
    potential.set_parameters(epsilon=epsilon)
    return kff.ForceField(potential)


def epsilon(one):
    return float(one.potential.parameters()["epsilon"].item())


@pytest.mark.slow_on_tensorflow
def test_vibrations_tell_the_stiffness():
    """A spectrum that was made with another stiffness, from the same start."""
    crystal = bulk("Si", a=5.43, cubic=True)
    crystal.rattle(0.05, seed=0)
    densities = []
    for one in (truth := model(2.0), fitted := model(2.1683)):
        rollout = Rollout(one, crystal, 150, Langevin(600.0, relaxation=1e5), every=3)
        densities.append(VibrationalDensity(rollout, np.linspace(0.5, 25.0, 50)))
    fit = Fit(fitted, {"vibrations": Target(densities[1], densities[0]())})
    losses = fit.minimize(20, verbose=0)
    assert losses["total"] < 1e-4 * fit.history[0]["total"]
    assert epsilon(fitted) == pytest.approx(epsilon(truth), rel=1e-3)
    report = plots.fit_report(fit)
    assert [axes.get_title() for axes in report.axes] == ["Fit", "vibrations"]
    assert [line.get_label() for line in report.axes[1].lines] == ["target", "before", "after"]


@pytest.mark.slow_on_tensorflow
def test_distributions_at_two_temperatures(tmp_path):
    """Reweighted averages lead from one stiffness to another, with new simulations on the way."""
    crystal = bulk("Si", a=5.43, cubic=True)
    fitted, targets = model(3.2), {}
    samplings = []
    for temperature in (600.0, 1200.0):
        frames = Dynamics(model(2.1683), crystal, Langevin(temperature, relaxation=50.0)).run(3000, every=10, verbose=0)
        known = RadialDistribution.of_trajectory(frames, RADII, width=0.05)
        samplings.append(
            Sampling(
                fitted, crystal, Langevin(temperature, relaxation=50.0), frames=100, every=20, equilibration=500, smallest=0.8,
                verbose=0,
            )
        )  # fmt: skip
        targets[f"{temperature:.0f} K"] = Target(RadialDistribution(samplings[-1], RADII, width=0.05), known)
    fit = Fit(fitted, targets, folder=tmp_path)
    fit.train(keras.optimizers.Adam(0.05), 15, verbose=0)
    assert fit.best[0]["total"] < 0.3 * fit.history[0]["total"]
    assert epsilon(fitted) == pytest.approx(2.1683, rel=0.15)
    assert all(sampling.simulations > 1 for sampling in samplings)
    assert epsilon(kff.load(tmp_path / "best.keras")) == epsilon(fitted)
