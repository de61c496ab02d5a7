"""Symmetries and padding: what breaks them must be found."""

import pytest
from broken_potentials import COPPER, LeftHanded
from planted_bugs import bugs_of, check_that_its_law_fails

from keras_ff import testing as laws
from keras_ff.testing import Probe

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("bug", bugs_of("symmetry_laws"))
def test_the_law_that_names_it_fails(bug):
    check_that_its_law_fails(bug)


def test_a_potential_that_is_not_mirrored_passes_the_rotations():
    assert laws.rotation(Probe(LeftHanded(), COPPER)).passed
