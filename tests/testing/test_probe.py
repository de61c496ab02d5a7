"""What can be checked."""

import pytest
from broken_potentials import COPPER, Morse

from keras_ff.potentials import RepulsiveMorse
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(TypeError, match="Received a list"):
        Probe([], COPPER)
    with pytest.raises(ValueError, match=r"Unknown are \['Cu'\]"):
        Probe(RepulsiveMorse(["Si"]), COPPER)
    with pytest.raises(ValueError, match="smoothness=3"):
        check_potential(Morse(), COPPER, smoothness=3)
