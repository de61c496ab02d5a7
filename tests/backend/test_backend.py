"""Training of a model that differentiates, and the cache of compiled functions."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import backend


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


@keras.saving.register_keras_serializable("keras_ff_tests")
class Forces(keras.Model):
    """Forces of a small network on positions, and of a short relaxation by them."""

    def __init__(self, checkpoint):
        super().__init__()
        self.checkpoint = checkpoint
        self.hidden = keras.layers.Dense(4, activation="tanh")
        self.readout = keras.layers.Dense(1)

    def build(self, shape):
        self.hidden.build(shape)
        self.readout.build((*shape[:-1], 4))
        rng = np.random.default_rng(3)
        for weight in self.weights:
            weight.assign(rng.normal(size=weight.shape))
        self.built = True

    def energy(self, positions):
        return ops.sum(self.readout(self.hidden(positions)))

    def call(self, positions):
        gradient = backend.grad(self.energy)

        def step(positions, _):
            return positions - 0.1 * gradient(positions), None

        return {
            "forces": -gradient(positions),
            "relaxed": backend.scan(step, positions, length=3, checkpoint=self.checkpoint)[0],
        }


def losses_and_weights(checkpoint, jit_compile):
    x = np.random.default_rng(1).normal(size=(2, 3))
    model = Forces(checkpoint)
    model.build((2, 3))
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", jit_compile=jit_compile, run_eagerly=False)
    history = model.fit(x, {"forces": 0 * x, "relaxed": 0 * x}, epochs=3, batch_size=2, verbose=0, shuffle=False)
    return [*history.history["loss"], *np.concatenate([np.ravel(weight) for weight in model.get_weights()])]


def reference():
    """The same training in NumPy, with its gradient by five-point differences."""
    x = np.random.default_rng(1).normal(size=(2, 3))
    rng = np.random.default_rng(3)
    shapes = [(3, 4), (4,), (4, 1), (1,)]
    w = np.concatenate([rng.normal(size=shape).ravel() for shape in shapes])

    def loss(w):
        W, b, V = w[:12].reshape(3, 4), w[12:16], w[16:20]

        def gradient(x):
            return ((1 - np.tanh(x @ W + b) ** 2) * V) @ W.T

        relaxed = x
        for _ in range(3):
            relaxed = relaxed - 0.1 * gradient(relaxed)
        return np.mean(gradient(x) ** 2) + np.mean(relaxed**2)

    losses, h = [], 1e-3
    for _ in range(3):
        losses.append(loss(w))
        unit = h * np.eye(len(w))
        w = w - 0.05 * np.array([(8 * (loss(w + e) - loss(w - e)) - (loss(w + 2 * e) - loss(w - 2 * e))) / (12 * h) for e in unit])
    return [*losses, *w]


@pytest.mark.parametrize("checkpoint, jit_compile", [(False, True), (True, True), (True, False)])
def test_fit_differentiates_the_derivatives_and_scans_inside_a_model(checkpoint, jit_compile):
    np.testing.assert_allclose(losses_and_weights(checkpoint, jit_compile), reference(), rtol=1e-9, atol=1e-10)


def test_the_compilation_cache_fills_its_folder():
    """That of the tests, which the conftest.py of the root makes and enables."""
    folder, unknown = Path(os.environ["KERAS_FF_CACHE"]) / backend.backend_name(), np.random.default_rng().normal()
    before = set(folder.iterdir())
    assert float(backend.jit(lambda x: ops.sum(x * x) * unknown)(3.0)) == pytest.approx(9.0 * unknown)
    assert set(folder.iterdir()) - before
