"""Distributions, volumes and temperatures of the ensembles."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, Dynamics, Langevin, NoseHoover

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
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


@pytest.mark.slow_on_tensorflow
def test_a_crystal_under_pressure_shrinks_by_its_compressibility(model):
    """Stillinger-Weber silicon has a bulk modulus of 101.4 GPa (LAMMPS)."""
    crystal = bulk("Si", a=5.430949778405213, cubic=True) * (2, 2, 2)
    ensemble = NPT(20.0, 2.0, relaxation=50.0, pressure_relaxation=200.0, bulk_modulus=100.0)
    dynamics = Dynamics(model, crystal, ensemble)
    dynamics.run(2000, every=0, verbose=0)
    change = dynamics.run(1000, verbose=0).volumes.mean() / crystal.get_volume() - 1.0
    # -P / B (1 - (1 + B') P / 2 B) with B' of about 4, and some thermal expansion.
    assert change == pytest.approx(-2.0 / 101.4 * (1 - 2.5 * 2.0 / 101.4), rel=0.05)


def test_the_temperature_may_change_and_the_kind_of_ensemble_may_not(model, silicon):
    dynamics = Dynamics(model, silicon, Langevin(1500.0, relaxation=10.0))
    hot = dynamics.run(500, verbose=0).temperatures[20:].mean()
    dynamics.ensemble = Langevin(100.0, relaxation=10.0)
    cold = dynamics.run(500, verbose=0).temperatures[20:].mean()
    assert 1000 < hot < 2000 and 60 < cold < 160
    with pytest.raises(ValueError, match="The ensemble is a Langevin"):
        dynamics.ensemble = NoseHoover(100.0)
