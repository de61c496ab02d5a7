"""Velocity autocorrelation and vibrational density of states."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff import plots
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import Pressure, VelocityAutocorrelation, VibrationalDensity
from keras_ff.properties.vibrations import spectrum
from keras_ff.simulation import Langevin, Rollout, Trajectory

pytestmark = pytest.mark.usefixtures("float64")

LIQUID = Path(__file__).parents[1] / "simulation" / "files" / "si_liquid.npz"


def test_the_spectrum_of_the_correlation_is_that_of_the_reference():
    known = np.load(LIQUID)
    found = ops.convert_to_numpy(spectrum(ops.convert_to_tensor(known["vacf"]), 2.0, known["vdos_THz"]))
    np.testing.assert_allclose(found, known["vdos"], rtol=0, atol=1e-14)


def test_velocities_of_an_oscillation():
    """Two masses that swing with 5 and 12 THz; the lighter one has the greater amplitude of velocity."""
    atoms = Atoms("SiC", positions=np.zeros((2, 3)))
    trajectory = Trajectory(atoms, interval=2.0)
    times = 2e-3 * np.arange(4000)
    amplitudes = np.sqrt(1.0 / atoms.get_masses())
    trajectory.velocities = np.zeros((4000, 2, 3))
    for atom, frequency in enumerate((5.0, 12.0)):
        trajectory.velocities[:, atom, 0] = amplitudes[atom] * np.cos(2 * np.pi * frequency * times)
    trajectory.positions = np.zeros_like(trajectory.velocities)
    correlation = VelocityAutocorrelation.of_trajectory(trajectory, 1000)
    lags = 2e-3 * np.arange(1000)
    expected = 0.5 * (np.cos(2 * np.pi * 5.0 * lags) + np.cos(2 * np.pi * 12.0 * lags))
    np.testing.assert_allclose(correlation, expected, rtol=0, atol=5e-3)
    frequencies = np.linspace(0.0, 30.0, 301)
    density = VibrationalDensity.of_trajectory(trajectory, frequencies, 1000)
    peaks = frequencies[1:-1][(density[1:-1] > density[:-2]) & (density[1:-1] > density[2:]) & (density[1:-1] > 0.1)]
    np.testing.assert_allclose(peaks, [5.0, 12.0], atol=0.051)
    assert np.trapezoid(density, frequencies) == pytest.approx(1.0, abs=0.02)


@pytest.mark.slow_on_tensorflow
def test_vibrations_of_a_rollout_have_derivatives():
    silicon = bulk("Si", a=5.43, cubic=True)
    model = kff.ForceField(StillingerWeber.silicon(train=["epsilon"]))
    rollout = Rollout(model, silicon, 60, Langevin(300.0, relaxation=1e4), every=2)
    density = VibrationalDensity(rollout, np.linspace(1.0, 20.0, 12), lags=20)
    _, gradient = density.gradient(lambda x: x[7])
    weight, values = model.trainable_weights[0], []
    for sign in (1, -1):
        weight.assign(weight + sign * 1e-5)
        values.append(density()[7])
        weight.assign(weight - sign * 1e-5)
    assert gradient[0].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6)
    figure = plots.vibrational_density(density.frequencies, {"silicon": density()})
    assert figure.axes[0].get_xlabel() == "frequency (THz)"
    with pytest.raises(ValueError, match="The pressure is an average over equilibrium"):
        Pressure(rollout)
    with pytest.raises(ValueError, match="From 30 frames between 2 and 30 lags"):
        VibrationalDensity(rollout, [1.0], lags=31)
