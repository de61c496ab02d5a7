"""Members of a committee: what mixes them up must be found."""

import pytest
from planted_bugs import bugs_of, check_that_its_law_fails

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("bug", bugs_of("member_laws"))
def test_the_law_that_names_it_fails(bug):
    check_that_its_law_fails(bug)
