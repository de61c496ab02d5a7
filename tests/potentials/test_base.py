"""Species and cutoffs that cannot be."""

import pytest

from keras_ff.potentials import NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("species, cutoff", [([], 4.0), (["Si", "Si"], 4.0), (["Si"], -1.0), (["Si"], float("inf"))])
def test_impossible_arguments_are_refused(species, cutoff):
    with pytest.raises(ValueError, match="Received"):
        NeuralIL(species, cutoff=cutoff)
