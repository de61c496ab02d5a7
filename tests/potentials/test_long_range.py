"""What models with and without waves need."""

import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import DampedShiftedForce

pytestmark = pytest.mark.usefixtures("float64")

SALT = bulk("NaCl", "rocksalt", a=5.64, cubic=True)


def test_models_without_waves_take_no_part():
    """Nothing more is computed for a local potential."""
    model = kff.ForceField(DampedShiftedForce(["Na", "Cl"], [1.0, -1.0], cutoff=5.0))
    assert model.wave_cutoff == 0 and "waves" not in Dataset([SALT], model)[0][0]
    assert "waves" not in kff.Calculator(model).batch(SALT)
