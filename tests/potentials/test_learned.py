"""The role of potentials that are adapted to data."""

import pytest

from keras_ff.potentials import ElementNetworks


def test_what_takes_no_new_elements_says_who_does():
    with pytest.raises(NotImplementedError, match="ElementNetworks takes no new elements. NeuralIL, SplineNetwork and sums"):
        ElementNetworks(["Si", "Ge"], cutoff=4.0).with_species({"C": "Si"})
