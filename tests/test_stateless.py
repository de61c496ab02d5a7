"""Functions of the weights of a model."""

import keras
import numpy as np

from keras_ff.potentials import RepulsiveMorse
from keras_ff.stateless import bound, values_of, with_weights

MODEL = RepulsiveMorse(["Si"], cutoff=3.0)


def first_weight(factor):
    return factor * keras.ops.convert_to_tensor(MODEL.weights[0])


def test_other_weights_hold_for_one_call():
    before = np.array(values_of(MODEL)[0])
    others = [value + 1.0 for value in values_of(MODEL)]
    np.testing.assert_array_equal(with_weights(MODEL, others, first_weight, 2.0), 2.0 * (before + np.float32(1.0)))
    np.testing.assert_array_equal(first_weight(1.0), before)


def test_a_bound_function_has_the_weights_of_the_moment_when_it_was_bound():
    before = np.array(values_of(MODEL)[0])
    function = bound(MODEL, first_weight)
    MODEL.weights[0].assign(before + 1.0)
    np.testing.assert_array_equal(function(1.0), before)
    np.testing.assert_array_equal(bound(MODEL, first_weight)(1.0), before + np.float32(1.0))
