"""Derivatives, precision and continuity: what is wrong must be found."""

import pytest
from broken_potentials import COPPER, Morse
from planted_bugs import bugs_of, check_that_its_law_fails

from keras_ff import testing as laws
from keras_ff.testing import Probe

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("bug", bugs_of("derivative_laws"))
def test_the_law_that_names_it_fails(bug):
    check_that_its_law_fails(bug)


def test_a_cosine_cutoff_jumps_in_its_second_derivative():
    result = laws.continuity(Probe(Morse(), COPPER), order=2)
    assert not result.passed and "passes 4 Å" in result.detail
