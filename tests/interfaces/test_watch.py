"""What a watch does with extrapolation grades; that of a model is in tests/models/test_extrapolation.py."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from keras_ff.interfaces import watch
from keras_ff.interfaces.watch import Extrapolating, Watch


@pytest.fixture
def make(monkeypatch):
    """A watch of two atoms that sees the given grades, look by look, with a third row for padding."""

    def make(action, looks):
        looks = iter(looks)

        def grades(batch):
            distance, spread = next(looks)
            return {"distance": np.array([[*distance, 9.0]]), "spread": np.array([[*spread, 9.0]])}

        monkeypatch.setattr(watch, "extrapolation_grades", lambda model: grades)
        atoms = bulk("Si")
        atoms.calc = SimpleNamespace(force_field=None, batch=lambda atoms: None)
        return Watch(atoms, action)

    return make


QUIET, LOUD = ((0.1, 0.2), (0.3, 0.1)), ((0.4, 1.5), (1.2, 0.1))


def test_the_first_look_beyond_a_threshold_warns_and_padding_never_does(make):
    one = make("warn", [QUIET, LOUD, LOUD])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one()
    with pytest.warns(UserWarning, match=r"the distance of atom 1 \(Si\) is 1.50 of its threshold, at look 2"):
        one()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one()
    assert one.grades == [0.3, 1.5, 1.5]


def test_structures_are_collected_with_the_worst_grade_of_each_atom(make):
    one = make("collect", [QUIET, LOUD])
    one()
    one()
    (found,) = one.collected
    assert found.calc is None and found.arrays["extrapolation"].tolist() == [1.2, 1.5]


def test_a_simulation_is_stopped_and_an_unknown_action_refused(make):
    with pytest.raises(Extrapolating, match="threshold"):
        make("stop", [LOUD])()
    with pytest.raises(ValueError, match="'shout'"):
        make("shout", [])
