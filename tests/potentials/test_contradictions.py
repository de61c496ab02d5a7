"""Arguments that exclude each other."""

import pytest

from keras_ff.layers import MLP, PowerSpectrum, SplineFilters
from keras_ff.potentials import ElementNetworks, NeuralIL, SplineNetwork


def test_contradictions_are_refused_and_name_both_sides():
    """Nothing that was asked for is dropped."""
    descriptor, network, filters = PowerSpectrum(4.0, 2), MLP(8), SplineFilters(4.0)
    with pytest.raises(ValueError, match=r"descriptor=PowerSpectrum\(...\) and cutoff=9, n_max=8"):
        NeuralIL(["Si"], cutoff=9, n_max=8, descriptor=descriptor)
    with pytest.raises(ValueError, match=r"network=MLP\(...\) and members=5"):
        NeuralIL(["Si"], descriptor=descriptor, network=network, members=5)
    with pytest.raises(ValueError, match=r"network=MLP\(...\) and units=\(8,\), members=2"):
        SplineNetwork(["Si"], network=network, units=(8,), members=2)
    for kind in (SplineNetwork, ElementNetworks):
        with pytest.raises(ValueError, match=r"filters=SplineFilters\(...\) and cutoff=5.0, triplet_cutoff=3.0"):
            kind(["Si"], cutoff=5.0, triplet_cutoff=3.0, filters=filters)
