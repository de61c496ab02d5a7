"""Layers that break the laws must be found."""

import keras
import numpy as np
import pytest
from broken_potentials import COPPER
from keras import ops

from keras_ff.layers import polynomial_cutoff
from keras_ff.layers.base import NeighborhoodLayer
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")


class Single(keras.layers.Layer):
    """Computes in float32 in between."""

    def call(self, x):
        return ops.cast(ops.cast(x, "float32") ** 3, "float64")


class MixesRows(keras.layers.Layer):
    def call(self, x):
        return x - ops.max(x, axis=0)


@pytest.mark.parametrize("kind, law", [(Single, "derivatives with respect to the inputs"), (MixesRows, "rows are independent")])
def test_a_broken_layer_is_found(kind, law):
    layer = keras.saving.register_keras_serializable("tests")(kind)(dtype="float64")
    layer.built = True
    with pytest.raises(AssertionError, match=law):
        check_layer(layer, np.linspace(0.1, 2.0, 10))


@keras.saving.register_keras_serializable("tests")
class Vectors(NeighborhoodLayer):
    cutoff = 3.0

    def call(self, neighborhood):
        fade = polynomial_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask
        return ops.sum(neighborhood.vectors * fade[..., None], axis=1)


def test_a_layer_of_neighborhoods_must_be_invariant():
    with pytest.raises(AssertionError, match="rotation"):
        check_layer(Vectors(dtype="float64"), COPPER)
