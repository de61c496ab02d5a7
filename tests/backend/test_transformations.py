"""vmap and jit, and the derivatives through them."""

import keras
import numpy as np
import pytest
from comparing import close
from keras import ops

from keras_ff import backend
from keras_ff.backend import grad, jit, vmap

X = np.array([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


# vmap


def test_vmap_maps_the_axis_of_each_argument_and_keeps_nests(run):
    def function(nest, weights, shift):
        return {"sum": ops.sum(nest["x"] * weights) + shift, "x": nest["x"]}

    mapped = vmap(function, in_axes=(0, 1, None))
    found = run(mapped)({"x": X}, X.T, 2.0)
    close(found["sum"], np.sum(X**2, axis=1) + 2)
    close(found["x"], X)
    close(run(vmap(lambda x: ops.sum(x), in_axes=-1))(X), np.sum(X, axis=0))


def test_vmap_and_derivatives_commute():
    def function(x):
        return ops.sum(ops.sin(x[1:]) * x[0]) + ops.sum(x * x) ** 1.5

    def everything(x):
        second = vmap(grad(lambda y: ops.sum(grad(function)(y))))
        return {
            "each": vmap(grad(function))(x),
            "sum": grad(lambda y: ops.sum(vmap(function)(y)))(x),
            "second of each": second(x),
            "second of sum": grad(lambda y: ops.sum(vmap(grad(function))(y)))(x),
            "third of each": vmap(grad(lambda y: ops.sum(backend.hvp(function, y, ops.ones_like(y)))))(x),
            "third of sum": grad(lambda y: ops.sum(second(y)))(x),
        }

    found = jit(everything)(X)
    x0, rest, r = X[:, :1], X[:, 1:], np.linalg.norm(X, axis=1, keepdims=True)
    first = np.concatenate([np.sum(np.sin(rest), 1, keepdims=True), x0 * np.cos(rest)], 1) + 3 * r * X
    close(found["each"], first)
    close(found["sum"], first)
    cross = np.cos(rest)
    second = np.concatenate([np.sum(cross, 1, keepdims=True), cross - x0 * np.sin(rest)], 1)
    close(found["second of each"], second + 3 * (r + X * np.sum(X, 1, keepdims=True) / r), rtol=1e-12)
    close(found["second of sum"], second + 3 * (r + X * np.sum(X, 1, keepdims=True) / r), rtol=1e-12)
    close(found["third of each"], found["third of sum"], rtol=1e-12)


def test_vmap_without_an_axis_to_map_is_an_error():
    with pytest.raises(ValueError):
        vmap(lambda x, y: x + y, in_axes=(None, None))(X, X)
    with pytest.raises(ValueError):
        vmap(lambda x, y: x + y, in_axes=(0,))(X, X)


# jit


def test_jit_takes_nests_numbers_and_variables_and_traces_once_for_a_shape():
    traces = []

    @jit
    def function(nest, factor, *, power):
        traces.append(1)
        return {"x": nest["x"][0] * factor, "power": nest["v"] ** power}

    variable = keras.Variable(np.array([2.0, 3.0]), dtype="float64")
    for factor in (1.0, 2.0, 3.0):
        found = function({"x": [X], "v": variable}, factor, power=2.0)
        close(found["x"], X * factor)
        close(found["power"], [4.0, 9.0])
    assert len(traces) == 1
    variable.assign(np.array([1.0, 5.0]))
    close(function({"x": [X], "v": variable}, 1.0, power=2.0)["power"], [1.0, 25.0])
    assert len(traces) == 1
    function({"x": [X[:1]], "v": variable}, 1.0, power=2.0)
    assert len(traces) == 2


def test_jit_keeps_python_numbers_in_full_precision():
    assert float(jit(lambda x: x * 1)(0.1)) == 0.1
    assert keras.backend.standardize_dtype(jit(lambda x: x)(3).dtype) == "int32"


def test_jit_inside_jit_and_inside_a_derivative(run):
    inner = jit(lambda x: ops.sum(x**3))
    close(run(lambda x: inner(x) * 2.0)(X), 2 * np.sum(X**3))
    close(run(grad(lambda x: ops.sum(grad(inner)(x))))(X), 6 * X)


def test_jit_of_a_layer_sees_the_present_values_of_its_variables():
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 3))
    layer.kernel.assign(np.ones((3, 1)))
    energy = jit(lambda x: ops.sum(layer(x)), layer=layer)
    forces = jit(grad(lambda x: ops.sum(layer(x))), layer=layer)
    whole = jit(layer, layer=layer)
    close(energy(X), np.sum(X))
    layer.kernel.assign(2.0 * np.ones((3, 1)))
    close(energy(X), 2 * np.sum(X))
    close(forces(X), 2 + 0 * X)
    close(whole(X), 2 * np.sum(X, axis=1, keepdims=True))


# devices


def test_a_cpu_is_no_accelerator_whichever_way_it_is_named():
    assert not backend.accelerated() and backend.peak_memory() is None
    if backend.backend_name() == "jax":
        import jax

        for device in ("cpu", jax.devices("cpu")[0]):
            with jax.default_device(device):
                assert not backend.accelerated()
