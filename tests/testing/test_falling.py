"""The law that close atoms rise in energy, for potentials that do and do not."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import ZBL, Potential, Sum
from keras_ff.testing import nothing_falls
from keras_ff.testing.falling import _dimers

pytestmark = pytest.mark.usefixtures("float64")


@keras.saving.register_keras_serializable("tests")
class Attraction(Potential):
    """As a network may be where it has no data: deeper and deeper."""

    def call(self, neighborhood):
        r = neighborhood.distances
        return -ops.sum(ops.exp(-r) * (1.0 - r / self.cutoff) ** 2 * neighborhood.mask, axis=-1)


def test_attraction_falls_and_a_core_holds_it():
    alone = nothing_falls(kff.ForceField(Attraction(["Cu", "O"], 3.5)), [bulk("Cu")])
    assert not alone.passed and "falls by" in alone.detail
    dimers = nothing_falls(kff.ForceField(Attraction(["Cu", "O"], 3.5)), [])
    assert not dimers.passed and "a dimer" in dimers.detail and "to 0.5 Å" in dimers.detail
    assert nothing_falls(kff.ForceField(Sum([Attraction(["Cu", "O"], 3.5), ZBL(["Cu", "O"])])), []).passed


def test_a_bond_that_is_shorter_than_the_covalent_radii_is_no_fall():
    text, points, frames = _dimers(kff.ForceField(ZBL(["Cr"])), "Cr", "Cr")
    distances = np.array([atoms.get_distance(0, 1) for atoms in frames])
    assert "Cr-Cr that is pushed together from 2.78 to 0.5 Å" in text
    assert distances[points] >= 1.67 > distances[points + 1] and distances[-1] == 0.5
