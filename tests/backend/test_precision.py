"""float64 for what asks for it, and as the default of the process."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import backend


def defaults():
    return keras.config.floatx(), keras.config.dtype_policy().name


def test_preparing_changes_no_default():
    before = defaults()
    for dtype in ("float64", keras.dtype_policies.DTypePolicy("float64"), "float32", "mixed_bfloat16", None):
        backend.prepare(dtype)
    assert defaults() == before
    assert keras.backend.standardize_dtype(ops.convert_to_tensor(np.ones(2)).dtype) == "float64"


def test_a_backend_that_cannot_is_an_error_that_says_what_to_call(monkeypatch):
    monkeypatch.setattr(backend.precision.twin, "has_float64", lambda: False)
    with pytest.raises(RuntimeError, match="enable_float64"):
        backend.prepare("float64")
    backend.prepare("float32")


def test_float64_twice_is_the_same_as_once(float64):
    backend.enable_float64()
    backend.enable_float64()
    assert defaults() == ("float64", "float64")


def test_the_default_dtype_comes_back_after_an_error():
    before = defaults()
    with pytest.raises(KeyError), backend.default_dtype("float64"):
        assert keras.config.floatx() == "float64"
        raise KeyError
    assert defaults() == before


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_float64_reaches_into_the_layers_of_keras(default):
    backend.prepare("float64")
    x = np.random.default_rng(0).normal(size=(4, 6))
    with backend.default_dtype(default):
        layer = keras.layers.LayerNormalization(epsilon=1e-3, dtype="float64")
        expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
        np.testing.assert_allclose(layer(x), expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(keras.activations.tanh(ops.convert_to_tensor(x)), np.tanh(x), rtol=1e-14)
        np.testing.assert_allclose(keras.layers.Activation("tanh", dtype="float64")(x), np.tanh(x), rtol=1e-14)
        loss = keras.losses.MeanSquaredError(dtype="float64")(x, np.zeros_like(x))
        np.testing.assert_allclose(loss, np.mean(x**2), rtol=1e-14)
