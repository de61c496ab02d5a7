"""The loop of active learning, also when it is killed."""

import json

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from small_data import copper

import keras_ff as kff
from keras_ff.active import ActiveLearning
from keras_ff.data import Dataset, labels
from keras_ff.potentials import NeuralIL


class Killed(BaseException):
    """As a signal would be, nothing catches this."""


class Oracle(EMT):
    """Counts what it computes, and dies after so many."""

    def __init__(self, lives=10**9):
        super().__init__()
        self.asked, self.lives = [], lives

    def calculate(self, atoms=None, *args, **kwargs):
        if len(self.asked) == self.lives:
            raise Killed
        super().calculate(atoms, *args, **kwargs)
        self.asked.append(atoms.positions.copy())


def trainer(count, dies_in=None):
    """A function that makes an ensemble, and dies in a round; `count` lists the rounds in which it finished."""

    def train(structures, number):
        if number == dies_in:
            raise Killed
        model = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2))
        model.adapt(Dataset(structures, model, max_shapes=1))
        count.append((number, len(structures)))
        return model

    return train


def loop(folder, oracle, train, **options):
    return ActiveLearning(oracle, train, copper(6, seed=4), copper(2), count=2, folder=folder, **options)


@pytest.mark.slow_on_tensorflow
def test_a_killed_loop_goes_on_without_asking_or_training_twice(tmp_path):
    whole, trained = Oracle(), []
    expected = loop(tmp_path / "whole", whole, trainer(trained))
    expected.run(2)
    assert len(whole.asked) == 4 and trained == [(0, 2), (1, 4), (2, 6)]

    asked, again = [], []
    for lives, dies_in in ((1, None), (0, None), (2, 1), (1, None), (9, 2), (9, None)):
        oracle = Oracle(lives)
        try:
            killed = loop(tmp_path / "killed", oracle, trainer(again, dies_in))
            killed.run(2)
        except Killed:
            pass
        asked += oracle.asked
    assert len(asked) == len(whole.asked)
    np.testing.assert_array_equal(asked, whole.asked)
    assert again == trained and killed.history == expected.history
    for one, other in zip(killed.known(), expected.known(), strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        assert labels(one)["energy"] == labels(other)["energy"]


@pytest.mark.slow_on_tensorflow
def test_labels_are_those_of_the_oracle_and_each_candidate_is_picked_once(tmp_path):
    work = ActiveLearning(Oracle(), trainer([]), copper(6, seed=4), copper(2), count=4, folder=tmp_path)
    work.run(10)
    known = work.known()
    assert len(known) == 8 and sorted(atoms.info["candidate"] for atoms in known[2:]) == list(range(6))
    assert [row["known"] for row in work.history] == [2, 6]
    for atoms in known[2:]:
        again = atoms.copy()
        again.calc = EMT()
        np.testing.assert_allclose(labels(atoms)["energy"], again.get_potential_energy(), atol=1e-6)
        np.testing.assert_allclose(labels(atoms)["forces"], again.get_forces(), atol=1e-6)
        np.testing.assert_allclose(labels(atoms)["stress"], again.get_stress(), atol=1e-6)


@pytest.mark.slow_on_tensorflow
def test_candidates_may_be_made_in_each_round(tmp_path):
    made = []

    def candidates(model, number):
        made.append((model.members, number))
        return copper(4, seed=10 + number)

    work = ActiveLearning(Oracle(), trainer([]), candidates, copper(2), 3, tmp_path, select=lambda *_: [1])
    work.run(2)
    assert made == [(2, 0), (2, 1)] and len(work.known()) == 4
    np.testing.assert_allclose(work.known()[3].positions, copper(4, seed=11)[1].positions, atol=1e-7)


def test_bad_input_is_named(tmp_path):
    bare = copper(1)
    bare[0].calc = None
    with pytest.raises(ValueError, match="structures with energies and forces. Received 1 structures"):
        ActiveLearning(EMT(), trainer([]), copper(2), bare, 1, tmp_path)
    with pytest.raises(ValueError, match="pool is empty"):
        ActiveLearning(EMT(), trainer([]), [], copper(1), 1, tmp_path)


def test_a_folder_of_another_loop_is_refused_and_the_difference_named(tmp_path):
    loop(tmp_path, EMT(), trainer([]))
    loop(tmp_path, EMT(), trainer([]))
    given = {"oracle": EMT(), "candidates": copper(6, seed=4), "start": copper(2), "count": 2}
    other = copper(2)
    other[1].calc.results["forces"] = other[1].calc.results["forces"] + 0.1
    for change, text in (
        ({"count": 5}, "count: 2 then, 5 now"),
        ({"start": copper(3)}, "start: .* then"),
        ({"start": other}, "start: .* then"),
        ({"candidates": copper(5, seed=4)}, "candidates: .* then"),
        ({"candidates": lambda model, number: []}, "candidates: .* then, function now"),
        ({"oracle": LennardJones()}, "oracle class: EMT then, LennardJones now"),
        ({"select": lambda *_: [1]}, "select: pick then, <lambda> now"),
    ):
        with pytest.raises(ValueError, match=f"holds another loop. What differs: {text}.*another folder"):
            ActiveLearning(train=trainer([]), folder=tmp_path, **{**given, **change})
    record = tmp_path / "loop.json"
    for content in ("", "[1", "[1]", "null"):
        record.write_text(content)
        with pytest.raises(ValueError, match="loop.json is damaged or missing.*Restore it"):
            loop(tmp_path, EMT(), trainer([]))
    # As an earlier version wrote it.
    energies = [round(float(labels(atoms)["energy"]), 6) for atoms in copper(2)]
    record.write_text(json.dumps({"count": 2, "start": energies}))
    loop(tmp_path, EMT(), trainer([]))
    record.write_text(json.dumps({"count": 2, "start": [energies[0], 0.0]}))
    with pytest.raises(ValueError, match="What differs: start"):
        loop(tmp_path, EMT(), trainer([]))
