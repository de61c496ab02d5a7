"""float64 for what asks for it, and as the default of the process; products of float32 matrices in full."""

import functools

import keras
import numpy as np
import pytest
from every_potential import POTENTIALS, structure
from keras import ops
from programs import all_in_full, products, program, reduced

import keras_ff as kff
from keras_ff import backend
from keras_ff.simulation import NVE, Dynamics
from keras_ff.simulation.steps import Steps

# On TensorFlow one switch holds for all operations, and tracing takes long.
SEVERAL = ["NeuralIL", "NeuralIL with members", "SplineNetwork", "BKS with Ewald", "Tersoff"]
if backend.backend_name() == "tensorflow":
    del SEVERAL[1:]


def defaults():
    return keras.config.floatx(), keras.config.dtype_policy().name


def test_preparing_changes_no_default():
    before = defaults()
    for dtype in ("float64", keras.dtype_policies.DTypePolicy("float64"), "float32", None):
        backend.prepare(dtype)
    assert defaults() == before
    assert keras.backend.standardize_dtype(ops.convert_to_tensor(np.ones(2)).dtype) == "float64"


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "float16", keras.dtype_policies.DTypePolicy("bfloat16")])
def test_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match="compute in float32 or float64"):
        backend.prepare(dtype)


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


def model_of(name):
    kind = kff.Ensemble if name == "NeuralIL with members" else kff.ForceField
    return kind(POTENTIALS[name]("float32"))


def batch_of(model):
    return kff.data.Dataset([structure(model.potential)], model, batch_size=1)[0][0]


@pytest.mark.parametrize("name", SEVERAL)
def test_energies_and_forces_have_all_digits_of_float32(name):
    model = model_of(name)
    assert all_in_full(program(model.atomic, batch_of(model)))


def test_training_has_all_digits_of_float32():
    model = model_of("NeuralIL")
    batch = batch_of(model)
    labels = {"forces": np.zeros((1, 8, 3), "float32")}
    model.compile("sgd", loss={"forces": kff.losses.MSE()})
    model._symbolic_build(data_batch=(batch, labels))
    model.optimizer.build(model.trainable_variables)
    if backend.backend_name() == "tensorflow":
        text = program(lambda *data: model.train_step(data), batch, labels)
    else:
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables
        text = program(model.train_step, [[variable.value for variable in group] for group in groups], (batch, labels))
    assert all_in_full(text) and len(products(text)) > len(products(program(model.atomic, batch)))


@pytest.mark.parametrize("accelerated", [False, pytest.param(True, marks=pytest.mark.slow_on_tensorflow)])
def test_simulations_have_all_digits_of_float32(monkeypatch, accelerated):
    monkeypatch.setattr(backend, "accelerated", lambda: accelerated)
    model, texts = model_of("NeuralIL"), []
    dynamics = Dynamics(model, structure(model.potential), NVE())
    steps = functools.partial(Steps, model, dynamics._counted(), dynamics._free, dynamics._lists, dynamics._frames)

    def read(*args):
        texts.append(program(steps().__call__, *args))
        raise KeyboardInterrupt

    monkeypatch.setattr(dynamics, "_functions", lambda: (read, None))
    with pytest.raises(KeyboardInterrupt):
        dynamics.run(1)
    assert all_in_full(texts[0]) and products(texts[0])


def test_eager_functions_and_pullbacks_have_all_digits_of_float32():
    A = np.ones((2, 2), "float32")
    product = backend.custom_gradient(lambda x: (ops.sum(x), lambda upstream: upstream * ops.matmul(x, A)))
    assert all_in_full(program(backend.grad(product), A))
    assert all_in_full(program(lambda x: ops.einsum("ij,jk->ik", x, x), A))


def test_a_setting_of_the_user_stays_and_is_told():
    with reduced():
        assert not all_in_full(program(lambda x: ops.matmul(x, x), np.ones((2, 2), "float32")))
        with pytest.warns(UserWarning, match="10 meV/atom"):
            backend.prepare("float32")
        if backend.backend_name() == "jax":
            backend.precision.twin.multiply_in_full()
            assert backend.precision.twin.reduced_products()
    assert not backend.precision.twin.reduced_products()


def test_tf32_would_move_energies_by_a_thousand_times_the_rounding(monkeypatch):
    model = model_of("NeuralIL")
    batch = batch_of(model)

    def energies():
        return ops.convert_to_numpy(backend.jit(lambda batch: model.atomic(batch)["energies"], layer=model)(batch))

    def as_tf32(x):
        # The 11 leading bits, after Veltkamp.
        c = x * (2.0**13 + 1)
        return c - (c - x)

    exact, matmul = energies(), ops.matmul
    monkeypatch.setattr(ops, "matmul", lambda x, y: matmul(as_tf32(x), as_tf32(y)))
    rounded = energies()
    assert np.abs(rounded - exact).max() > 1e3 * np.finfo("float32").eps * np.abs(exact).max()
