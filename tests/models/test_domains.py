"""Data outside the knots of splines is named."""

import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff.layers import SplineFilters
from keras_ff.potentials import PairSpline, SplineNetwork, Sum

pytestmark = pytest.mark.usefixtures("float64")


def test_spline_domains_name_what_lies_outside():
    network = SplineNetwork(["Si"], filters=SplineFilters(4.0, pairs=2, triplets=(2, 2), shortest=2.0))
    model = kff.ForceField(Sum([network, PairSpline(["Si"], cutoff=4.0, shortest=1.0)]))
    atoms = bulk("Si", a=4.5, cubic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0)
    data = kff.data.Dataset([atoms], model, batch_size=1)
    with pytest.warns(UserWarning, match=r"rho has knots from 2 to 4; the data go from 1.949 .* and 14 % of them"):
        model.adapt(data)
    with pytest.warns(UserWarning, match="f has knots"):
        domains = kff.models.spline_domains(model, data)
    assert set(domains) == {"rho", "f", "phi"}
    assert domains["rho"].outside == pytest.approx(4 / 28) and domains["phi"].outside == 0
    assert domains["phi"].smallest == pytest.approx(4.5 * 3**0.5 / 4) and domains["phi"].largest < 4.0
