"""Laws on structures that Hypothesis draws: what a crystal of the tests does not have."""

import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_ff.potentials import NeuralIL, StillingerWeber
from keras_ff.testing import Probe, padding, permutation, supercell, translation
from keras_ff.testing.strategies import structures

# The same examples each time: a test that fails now and then helps nobody.
SETTINGS = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
# 14 neighbors per Å³ within 3.8 Å of one atom in the smallest cell that is drawn: all structures have the shape of these.
DENSEST = bulk("Si", "sc", a=2.0) * (1, 1, 6)


@pytest.fixture(scope="module", params=["StillingerWeber", pytest.param("NeuralIL", marks=pytest.mark.slow)])
def probe(request):
    kinds = {
        "StillingerWeber": lambda: StillingerWeber.silicon(dtype="float64"),
        "NeuralIL": lambda: NeuralIL(["Si"], cutoff=3.7, n_max=1, dtype="float64"),
    }
    with Probe.float64():
        return Probe(kinds[request.param](), DENSEST)


@pytest.mark.slow_on_tensorflow
@pytest.mark.usefixtures("float64")
@given(data=st.data())
@SETTINGS
def test_laws_hold_on_drawn_structures(probe, data):
    probe.structure = data.draw(structures(["Si"], lengths=(2.5, 5.0)))
    for law in (translation, permutation, supercell, padding):
        result = law(probe)
        assert result.passed, f"{result} Structure: {probe.structure!r}"


@given(structures(["Si", "C"]))
@SETTINGS
def test_drawn_structures_are_what_the_strategy_says(atoms):
    assert 1 <= len(atoms) <= 6 and set(atoms.symbols) <= {"Si", "C"}
    if len(atoms) > 1:
        assert Atoms(atoms).get_all_distances(mic=bool(atoms.pbc.any()))[0, 1:].min() > 0.79
