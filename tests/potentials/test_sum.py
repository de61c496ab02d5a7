"""Sums: laws, additivity with cutoffs of their own, and refused parts."""

import numpy as np
import pytest
from ase.build import bulk

from keras_ff.potentials import ZBL, NeuralIL, RepulsiveMorse, Sum
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

SILICON = bulk("Si", cubic=True)


@pytest.mark.slow_on_tensorflow
def test_laws():
    morse = RepulsiveMorse(["Si", "C"], well_depth=[1.0, 2.0], stiffness=[1.5, 2.0], bond_length=[2.2, 1.5], cutoff=3.2)
    carbide = bulk("SiC", "zincblende", a=4.36, cubic=True)
    check_potential(Sum([morse, ZBL(["Si", "C"], cutoff=2.6)]), carbide, smoothness=2)


def test_a_sum_is_the_sum_of_its_parts():
    parts = [RepulsiveMorse(["Si"], cutoff=3.0), Sum([ZBL(["Si"], cutoff=2.6), RepulsiveMorse(["Si"], cutoff=4.0)])]
    total = Sum(parts)
    assert total.cutoff == 4.0 and len(total.terms()) == 3
    results = [Probe(potential, SILICON).evaluate([SILICON])[0] for potential in (total, *parts)]
    for name in ("energy", "forces", "stress"):
        np.testing.assert_allclose(results[0][name], results[1][name] + results[2][name], atol=1e-12)


def test_parts_must_have_the_same_species():
    with pytest.raises(ValueError, match="same species"):
        Sum([NeuralIL(["Si", "C"]), ZBL(["C", "Si"])])
    with pytest.raises(ValueError, match="Received none"):
        Sum([])
