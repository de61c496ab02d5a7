"""The laws must fail on potentials that break them, and say which."""

import keras
import pytest
from broken_potentials import BROKEN, COPPER, Morse
from planted_bugs import ALLOY, BUGS, Pair, committee

from keras_ff import testing as laws
from keras_ff.potentials import Committee, RepulsiveMorse
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_potential_is_found(kind):
    probe = Probe(kind(), COPPER)
    for law in BROKEN[kind]:
        result = law(probe)
        assert not result.passed, str(result)


@pytest.mark.slow_on_tensorflow
def test_a_float32_potential_is_checked_in_float64():
    keras.config.set_dtype_policy("float32")
    potential = RepulsiveMorse(["Cu"], cutoff=3.0)
    check_potential(potential, COPPER, smoothness=2)
    assert potential.compute_dtype == "float32" and keras.config.dtype_policy().name == "float32"


@pytest.mark.slow_on_tensorflow
def test_molecules_are_checked_too():
    molecule = COPPER.copy()
    molecule.pbc = False
    assert all(result.passed for result in check_potential(Morse(), molecule))


def test_the_sound_potential_passes_with_every_law_once():
    results = check_potential(Pair(), ALLOY, smoothness=2)
    assert all(result.passed for result in results)
    assert len(results) == len({result.name for result in results}) == 21
    for law in (laws.members, laws.new_elements):
        assert law(Probe(Pair(), ALLOY)) is None
    assert laws.members(Probe(committee(Committee), ALLOY)).passed


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("bug", ["forces of wrong sign", "energy of empty neighbors", "infinity times 0"])
def test_the_report_of_all_laws_names_it(bug):
    kind, _, name = BUGS[bug]
    with pytest.raises(AssertionError, match=f"The law '{name}' fails"):
        check_potential(kind(), ALLOY)
