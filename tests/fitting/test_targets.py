"""Targets that cannot be."""

import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.fitting import DataTarget, Fit, Target
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import EnergyPerAtom

pytestmark = pytest.mark.usefixtures("float64")


def model(**parameters):
    potential = StillingerWeber.silicon(train=["epsilon", "lam"])
    potential.set_parameters(**parameters)
    return kff.ForceField(potential)


def test_what_cannot_be():
    one = model()
    with pytest.raises(ValueError, match=r"finite values of shape \(\). Received \[1. 2.\] of shape \(2,\)"):
        Target(EnergyPerAtom(one, bulk("Si")), [1.0, 2.0])
    with pytest.raises(ValueError, match="neither energies nor forces"):
        DataTarget([bulk("Si")], one)
    with pytest.raises(ValueError, match="no trainable weights"):
        Fit(kff.ForceField(StillingerWeber.silicon(train=False)), {})
