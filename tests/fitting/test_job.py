"""Descriptions of fits."""

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.fitting import Target
from keras_ff.fitting.job import described, same_weights
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import CohesiveEnergy


@pytest.mark.slow_on_tensorflow
def test_a_relaxed_structure_counts_by_its_atoms_and_a_fixed_one_by_its_positions():
    model = kff.ForceField(StillingerWeber.silicon(train=["epsilon"]))

    class Custom:
        __slots__ = ()

    def of(a):
        return described(model, {"energy": Target(CohesiveEnergy(model, bulk("Si", a=a)), 4.3), "own": Custom()})

    assert of(5.43) == of(5.43) != of(5.44)
    assert of(5.43)["target"]["own"] == {"class": Custom.__qualname__}
    assert of(5.43)["model"]["class"] == "StillingerWeber"


def test_weights_agree_but_for_rounding():
    assert same_weights([np.array([1.0, 0.0])], [np.array([1.0001, 1e-6])]) and same_weights([np.ones(2)], None)
    assert not same_weights([np.zeros(1)], [np.array([0.05])])
    assert not same_weights([np.ones(2)], [np.ones(3)]) and not same_weights([np.ones(2)], [])
