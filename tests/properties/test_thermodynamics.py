"""Thermodynamics of harmonic crystals against phonopy."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import Phonons, density_of_states, entropy, free_energy, heat_capacity, mesh

pytestmark = pytest.mark.usefixtures("float64")
# At 300 K, mesh 20: kJ/mol, J/K/mol, J/K/mol of the cell of two atoms.
THERMAL = (9.528444061905605, 33.13602692245014, 37.27942343277172)
KJ_PER_MOL = 96.48533212331


@pytest.fixture
def silicon():
    return bulk("Si", a=5.430949778405213)


@pytest.mark.slow_on_tensorflow
def test_thermodynamics_is_that_of_phonopy(silicon):
    frequencies = Phonons(kff.ForceField(StillingerWeber.silicon()), silicon, mesh(20))()
    found = [free_energy(frequencies, 300.0), 1e3 * entropy(frequencies, 300.0), 1e3 * heat_capacity(frequencies, 300.0)]
    # Frequencies agree to 2e-4 THz, a part in 1e5.
    assert [KJ_PER_MOL * float(x) for x in found] == pytest.approx(THERMAL, abs=2e-3)
    at = np.linspace(-1.0, 20.0, 2101)
    density = ops.convert_to_numpy(density_of_states(frequencies, at))
    assert np.trapezoid(density, at) == pytest.approx(6.0, rel=1e-6)
