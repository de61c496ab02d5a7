"""Copies of layers, and what several models share."""

import keras
import numpy as np
import pytest

from keras_ff.potentials import ZBL, RepulsiveMorse
from keras_ff.potentials.copies import copied, shared


def test_a_copy_has_the_weights_and_not_those_that_come_later():
    potential = RepulsiveMorse(["Si"], cutoff=3.0)
    potential.weights[0].assign(potential.weights[0] + 0.5)
    potential.weights[0].trainable = False
    copy = copied(potential)
    assert type(copy) is RepulsiveMorse and copy.get_config() == potential.get_config()
    before = [keras.ops.convert_to_numpy(weight) for weight in potential.weights]
    potential.weights[0].assign(potential.weights[0] + 1.0)
    for mine, old in zip(copy.weights, before, strict=True):
        np.testing.assert_array_equal(mine, old)
    assert [weight.trainable for weight in copy.weights] == [weight.trainable for weight in potential.weights]


def test_what_differs_is_not_shared():
    one, other = RepulsiveMorse(["Si"], cutoff=3.0), RepulsiveMorse(["Si"], cutoff=3.0)
    assert shared([one, other]) not in (one, other)
    other.weights[0].assign(other.weights[0] + 1.0)
    with pytest.raises(ValueError, match=f"share {one.weights[0].path}, which differs"):
        shared([one, other])
    assert shared([ZBL(["Si"]), ZBL(["Si"])]).species == ["Si"]
