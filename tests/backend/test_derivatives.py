"""Derivatives of whole functions, eager and compiled, to third order."""

import keras
import numpy as np
import pytest
from comparing import close
from keras import ops
from second_derivatives import hessian

from keras_ff import backend
from keras_ff.backend import grad, hvp, jit, jvp, value_and_grad, vjp

X = np.array([0.3, -0.7, 1.1])
MIX = np.array([[2.0, -1.0, 0.5], [0.3, 1.0, 0.2], [-0.4, 0.6, 1.5]])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


def cubic(x):
    """sum_i (M x)_i^3, whose derivatives are written below."""
    return ops.sum(ops.matmul(MIX, x) ** 3)


CUBIC_GRADIENT = 3 * MIX.T @ (MIX @ X) ** 2
CUBIC_HESSIAN = 6 * MIX.T @ np.diag(MIX @ X) @ MIX


def test_value_and_gradient_of_a_nest_with_further_arguments(run):
    def function(parameters, scale, *, shift):
        return scale * ops.sum(parameters["a"] ** 2 * parameters["b"][0]) + shift

    parameters = {"a": X, "b": [np.float64(2.0), np.ones(2)]}
    value, gradient = run(value_and_grad(function))(parameters, 3.0, shift=1.0)
    close(value, 6 * np.sum(X**2) + 1)
    close(gradient["a"], 12 * X)
    close(gradient["b"][0], 3 * np.sum(X**2))
    close(gradient["b"][1], np.zeros(2))  # unconnected


def test_auxiliary_results_are_passed_on(run):
    def function(x):
        return ops.sum(x**2), {"squares": x**2, "nothing": None}

    (value, auxiliary), gradient = run(value_and_grad(function, has_aux=True))(X)
    close(value, np.sum(X**2))
    close(auxiliary["squares"], X**2)
    assert auxiliary["nothing"] is None
    close(gradient, 2 * X)
    gradient, auxiliary = run(grad(function, has_aux=True))(X)
    close(gradient, 2 * X)
    close(auxiliary["squares"], X**2)


def test_keras_variables_are_differentiated_by_their_value(run):
    variable = keras.Variable(X, dtype="float64")
    close(run(grad(cubic))(variable), CUBIC_GRADIENT)


def test_an_array_that_the_function_also_reads_from_around_it_is_a_constant_there(run):
    def function(x):
        return grad(lambda y: ops.sum(y**2 * x))(x)

    close(run(function)(X), 2 * X**2)
    # The outer derivative sees both.
    close(run(grad(lambda x: ops.sum(function(x))))(X), 4 * X)
    close(run(lambda x: jvp(lambda y: ops.sum(y**2 * x), (x,), (ops.ones_like(x),))[1])(X), 2 * np.sum(X**2))


def test_gradient_wants_a_scalar_and_floating_numbers():
    with pytest.raises(TypeError, match="scalar"):
        grad(lambda x: x**2)(X)
    with pytest.raises(TypeError, match="dtype|float"):
        grad(lambda x: ops.sum(x))(np.array([1, 2]))


def test_jvp_is_the_jacobian_times_the_tangent(run):
    v = np.array([1.0, 2.0, -1.0])

    def function(x, scale):
        return {"cubes": scale * x**3, "sum": ops.sum(x)}

    output, tangent = run(lambda x, v: jvp(function, (x, 2.0), (v, 0.5)))(X, v)
    close(output["cubes"], 2 * X**3)
    close(tangent["cubes"], 6 * X**2 * v + 0.5 * X**3)
    close(tangent["sum"], np.sum(v))


def test_vjp_is_the_cotangent_times_the_jacobian_and_can_be_repeated(run):
    def function(x, y):
        return x**2 * y, ops.sum(y)

    def both(x, y, u):
        output, pullback = vjp(function, x, y)
        return output, pullback((u, 1.0)), pullback((2.0 * u, 0.0))

    u = np.array([1.0, -2.0, 0.5])
    output, first, second = run(both)(X, 2 * X, u)
    close(output[0], 2 * X**3)
    close(first[0], 4 * X**2 * u)
    close(first[1], X**2 * u + 1)
    close(second[0], 8 * X**2 * u)
    close(second[1], 2 * X**2 * u)


def test_derivatives_compose_in_any_order(run):
    """Forward over reverse, reverse over forward, and third orders of each."""
    v = np.array([1.0, 2.0, -1.0])

    def along(function):
        return lambda x: jvp(function, (x,), (v,))[1]

    directional = np.dot(CUBIC_GRADIENT, v)
    third = 6 * MIX.T @ ((MIX @ v) * (MIX @ np.ones(3)))

    def everything(x):
        return {
            "gradient": grad(cubic)(x),
            "directional": along(cubic)(x),
            "forward over reverse": along(grad(cubic))(x),
            "reverse over forward": grad(along(cubic))(x),
            "forward over forward": along(along(cubic))(x),
            "reverse over reverse": grad(lambda y: ops.sum(grad(cubic)(y) * v))(x),
            "hvp": hvp(cubic, x, v),
            "third": grad(lambda y: ops.sum(grad(lambda z: ops.sum(grad(cubic)(z) * v))(y)))(x),
            "third by hvp": grad(lambda y: ops.sum(hvp(cubic, y, v)))(x),
            "third by jvp": along(lambda y: hvp(cubic, y, np.ones(3)))(x),
        }

    found = run(everything)(X)
    expected = {name: CUBIC_HESSIAN @ v for name in found}
    expected |= {"gradient": CUBIC_GRADIENT, "directional": directional}
    expected |= {"forward over forward": v @ CUBIC_HESSIAN @ v}
    expected |= {name: third for name in found if name.startswith("third")}
    for name, value in found.items():
        close(value, expected[name])


def test_slices_and_concatenations_have_third_derivatives_when_compiled():
    """TensorFlow under XLA needs the gradients that backend/tensorflow/gradients.py registers."""

    def function(x):
        joined = ops.concatenate([x[1:] ** 2, x[:1] * x[2:]], axis=0)
        stacked = ops.stack([x[0], x[1] * x[2], x[2] ** 3])
        return ops.sum(joined[1:] ** 2) + ops.sum(stacked[1:2] ** 2) + stacked[2]

    # = x2^4 + x0^2 x2^2 + x1^2 x2^2 + x2^3
    x0, x1, x2 = X
    gradient = [2 * x0 * x2**2, 2 * x1 * x2**2, 4 * x2**3 + 2 * x2 * (x0**2 + x1**2) + 3 * x2**2]
    matrix = [
        [2 * x2**2, 0, 4 * x0 * x2],
        [0, 2 * x2**2, 4 * x1 * x2],
        [4 * x0 * x2, 4 * x1 * x2, 12 * x2**2 + 2 * (x0**2 + x1**2) + 6 * x2],
    ]
    # The gradient of the sum of all elements of the matrix.
    third = [8 * x2 + 4 * x0, 8 * x2 + 4 * x1, 8 * x2 + 8 * x0 + 8 * x1 + 24 * x2 + 6]

    def everything(x):
        ones = np.ones(3)
        return {
            "gradient": grad(function)(x),
            "hessian": hessian(function, x),
            "forward over reverse": jvp(grad(function), (x,), (ones,))[1],
            "third": grad(lambda y: ops.sum(hessian(function, y)))(x),
            "third by hvp": grad(lambda y: ops.sum(hvp(function, y, ones)))(x),
        }

    found = jit(everything)(X)
    close(found["gradient"], gradient)
    close(found["hessian"], matrix)
    close(found["forward over reverse"], np.sum(matrix, axis=1))
    close(found["third"], third)
    close(found["third by hvp"], third)


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 5])
def test_mapped_second_derivatives_are_the_same_in_a_loop_over_chunks_of_any_size(run, chunk):
    close(run(lambda x: hessian(cubic, x, chunk=chunk))(X), CUBIC_HESSIAN)


def test_mapped_second_derivatives_of_a_matrix_have_a_gradient(run):
    x = np.arange(6.0).reshape(2, 3) / 3

    def trace(k):
        matrix = hessian(lambda y: ops.sum(k * y**3) * k, x)
        assert tuple(matrix.shape) == (2, 3, 2, 3)
        return ops.sum(matrix)

    value, gradient = run(value_and_grad(trace))(2.0)
    close(value, 4 * 6 * np.sum(x))
    close(gradient, 4 * 6 * np.sum(x))


def test_stop_gradient_is_a_constant(run):
    def function(x):
        stopped = backend.stop_gradient({"x": x})["x"]
        return ops.sum(x * stopped)

    close(run(grad(function))(X), X)
    close(run(grad(lambda x: ops.sum(grad(function)(x))))(X), 0 * X)
