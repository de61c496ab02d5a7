"""Results of laws."""

import numpy as np
import pytest
from broken_potentials import COPPER, LooksUp

from keras_ff import testing as laws
from keras_ff.testing import LawResult, Probe
from keras_ff.testing.law import require

pytestmark = pytest.mark.usefixtures("float64")


def test_the_error_says_which_law_and_by_how_much():
    with pytest.raises(AssertionError, match=r"The law 'rotation' fails: deviation .*eV.*a difference of"):
        require([laws.rotation(Probe(LooksUp(), COPPER))])


def test_nan_never_passes():
    assert not LawResult("law", np.nan, 1.0).passed
    assert LawResult("law", 1.0, 1.0).passed
