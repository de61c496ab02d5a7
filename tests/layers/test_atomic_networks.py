"""Networks: the laws of layers, seeds, and refused arguments."""

import numpy as np
import pytest
from keras import ops

from keras_ff.layers import MLP, LinearPlusMLP, ResNet
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")

NETWORKS = [MLP, ResNet, LinearPlusMLP]
INPUTS = np.random.default_rng(0).normal(size=(5, 7))


@pytest.mark.parametrize("kind", [MLP, LinearPlusMLP, pytest.param(ResNet, marks=pytest.mark.slow_on_tensorflow)])
def test_laws(kind):
    check_layer(kind(7, units=(8, 4), dtype="float64"), INPUTS)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_seed_decides_all_weights(kind):
    first, same, other = (kind(7, units=(8, 4), seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_without_layers_is_refused_unless_it_is_linear(kind):
    for units in ((8, 0), () if kind is not LinearPlusMLP else (0,)):
        with pytest.raises(ValueError, match="hidden layer"):
            kind(7, units=units)


def test_without_layers_the_linear_model_remains():
    network = LinearPlusMLP(7, units=(), dtype="float64")
    assert len(network.weights) == 1
    network.linear.kernel.assign(np.arange(7.0)[:, None])
    np.testing.assert_allclose(ops.convert_to_numpy(network(INPUTS)), INPUTS @ np.arange(7.0))
    projection = np.diag(np.arange(1.0, 8.0))
    np.testing.assert_allclose(ops.convert_to_numpy(network(INPUTS, projection=projection)), INPUTS @ projection @ np.arange(7.0))


def test_the_published_pyramid_has_its_widths():
    kernels = [layer.kernel.shape for layer in MLP(152).layers]
    assert [tuple(shape) for shape in kernels] == [(152, 64), (64, 32), (32, 16), (16, 16), (16, 16)]
