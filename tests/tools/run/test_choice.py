"""The choice between the last model and the one with the lowest validation loss."""

import numpy as np
import pytest
from ase import Atoms

from keras_ff_tools.run.choice import choose
from keras_ff_tools.run.evaluation import Predictions


def predictions(energies, forces):
    """Predictions with these errors, one number for each structure, of labels that are 0."""
    count = len(energies)
    structures = [Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]) for _ in range(count)]
    predicted = {"energy": list(energies), "forces": [np.full((2, 3), f) for f in forces], "stress": [np.full(6, np.nan)] * count}
    reference = {"energy": [0.0] * count, "forces": [np.zeros((2, 3))] * count, "stress": [np.full(6, np.nan)] * count}
    return Predictions(structures, reference, predicted, [""] * count)


@pytest.fixture
def noise():
    return np.exp(np.random.default_rng(1).normal(size=(2, 20)))


def test_a_difference_that_chance_explains_delivers_the_last_model(noise):
    first, second = np.exp(np.random.default_rng(2).normal(size=(2, 20)))
    choice = choose(predictions(0.95 * noise[0], 0.95 * noise[1]), predictions(first, second), 12, 40)
    assert choice.last and "the last epoch, 40, at the end of the schedule" in choice.sentence
    assert "energies" in choice.sentence and "meV/Å" in choice.sentence


def test_lower_errors_beyond_doubt_deliver_the_lower_loss(noise):
    choice = choose(predictions(0.8 * noise[0], 0.8 * noise[1]), predictions(*noise), 12, 40)
    assert not choice.last and "epoch 12: relative to those of the last epoch, its errors" in choice.sentence


def test_both_energies_and_forces_count_and_missing_labels_do_not(noise):
    worse = predictions(4.0 * noise[0], 0.8 * noise[1])
    assert choose(worse, predictions(*noise), 12, 40).last
    for one in worse.reference["energy"], worse.predicted["energy"]:
        one[:] = [np.nan] * 20
    better = predictions(*noise)
    better.reference["energy"][:] = [np.nan] * 20
    choice = choose(worse, better, 12, 40)
    assert not choice.last and "energies" not in choice.sentence


def test_few_structures_tell_nothing(noise):
    assert choose(predictions(0.1 * noise[0][:3], 0.1 * noise[1][:3]), predictions(noise[0][:3], noise[1][:3]), 1, 9).last
