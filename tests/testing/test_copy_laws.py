"""Files, precisions and new elements: what does not survive them must be found."""

import pytest
from broken_potentials import COPPER, LosesItsPower
from planted_bugs import bugs_of, check_that_its_law_fails

from keras_ff import testing as laws
from keras_ff.testing import Probe

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("bug", bugs_of("copy_laws"))
def test_the_law_that_names_it_fails(bug):
    check_that_its_law_fails(bug)


def test_a_forgotten_argument_is_found():
    result = laws.saving(Probe(LosesItsPower(power=2.0), COPPER))
    assert not result.passed
