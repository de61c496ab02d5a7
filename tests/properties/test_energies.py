"""Energies along a strain."""

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import ElasticConstants, EquationOfState, bulk_modulus

pytestmark = pytest.mark.usefixtures("float64")

# Lattice constant of Stillinger-Weber silicon with LAMMPS 22 July 2025, in Å.
LATTICE_CONSTANT = 5.430949778405213


@pytest.mark.slow_on_tensorflow
def test_the_bulk_modulus_is_that_of_the_equation_of_state():
    model = kff.ForceField(StillingerWeber.silicon())
    crystal = bulk("Si", a=LATTICE_CONSTANT)
    state = EquationOfState(model, crystal, strains=np.linspace(-2e-3, 2e-3, 9))
    volumes = state.volumes()
    curve = np.polynomial.Polynomial.fit(volumes, state(), 4).convert()
    modulus = volumes[4] * curve.deriv(2)(volumes[4]) * 160.21766208
    assert float(bulk_modulus(ElasticConstants(model, crystal)())) == pytest.approx(modulus, rel=1e-6)
