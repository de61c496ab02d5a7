"""The elementary functions, their three derivatives, and their precision."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import backend
from keras_ff.backend import grad, jit

X = np.array([-0.83, -0.31, 0.17, 0.72])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


def sigmoid_derivatives(x):
    s = 1 / (1 + np.exp(-x))
    ds = s * (1 - s)
    return s, ds, ds * (1 - 2 * s), ds * (1 - 6 * ds)


def logaddexp_derivatives(x, y):
    s, ds, dds, _ = sigmoid_derivatives(x - y)
    return np.logaddexp(x, y), s, ds, dds


def swish_derivatives(x):
    s, ds, dds, ddds = sigmoid_derivatives(x)
    return x * s, s + x * ds, 2 * ds + x * dds, 3 * dds + x * ddds


def arctan_derivatives(x):
    q = 1 + x**2
    return np.arctan(x), 1 / q, -2 * x / q**2, (6 * x**2 - 2) / q**3


def arcsin_derivatives(x):
    s = np.sqrt(1 - x**2)
    return np.arcsin(x), 1 / s, x / s**3, (1 + 2 * x**2) / s**5


def tan_derivatives(x):
    t = np.tan(x)
    q = 1 + t**2
    return t, q, 2 * t * q, 2 * q * (1 + 3 * t**2)


def tanh_derivatives(x):
    t = np.tanh(x)
    q = 1 - t**2
    return t, q, -2 * t * q, q * (6 * t**2 - 2)


def erfc_derivatives(x):
    slope = -2 / np.sqrt(np.pi) * np.exp(-(x**2))
    return np.array([math.erfc(number) for number in x]), slope, -2 * x * slope, (4 * x**2 - 2) * slope


def norm_derivatives(x):
    r = np.sqrt(x**2 + 4)
    return r, x / r, 4 / r**3, -12 * x / r**5


def chain(derivatives, scale):
    """Derivatives of f(scale * x)."""
    return tuple(value * scale**order for order, value in enumerate(derivatives))


def pair(x, other):
    return ops.stack([x, ops.full_like(x, other)], axis=-1)


SIN, COS, SINH, COSH, ZERO = np.sin(X), np.cos(X), np.sinh(X), np.cosh(X), np.zeros(4)

# A function of one number, and its closed form with three derivatives.
FUNCTIONS = {
    "sin": (backend.sin, (SIN, COS, -SIN, -COS)),
    "cos": (backend.cos, (COS, -SIN, -COS, SIN)),
    "tan": (backend.tan, tan_derivatives(X)),
    "arcsin": (backend.arcsin, arcsin_derivatives(X)),
    "arccos": (backend.arccos, (np.arccos(X), *(-value for value in arcsin_derivatives(X)[1:]))),
    "arctan": (backend.arctan, arctan_derivatives(X)),
    "arctan2": (lambda x: backend.arctan2(x, 2.0), chain(arctan_derivatives(X / 2), 0.5)),
    "arctan2 of the denominator": (
        lambda x: backend.arctan2(0.5, 2.0 + x),
        (np.arctan2(0.5, 2 + X), *(-value for value in chain(arctan_derivatives(2 * (2 + X)), 2)[1:])),
    ),
    "sinh": (backend.sinh, (SINH, COSH, SINH, COSH)),
    "cosh": (backend.cosh, (COSH, SINH, COSH, SINH)),
    "tanh": (backend.tanh, tanh_derivatives(X)),
    "erfc": (backend.erfc, erfc_derivatives(X)),
    "floor": (backend.floor, (np.floor(X), ZERO, ZERO, ZERO)),
    "ceil": (backend.ceil, (np.ceil(X), ZERO, ZERO, ZERO)),
    "softplus": (backend.softplus, logaddexp_derivatives(X, 0.0)),
    "logaddexp": (lambda x: backend.logaddexp(0.3, x), logaddexp_derivatives(X, 0.3)),
    "swish": (backend.swish, swish_derivatives(X)),
    "norm": (lambda x: backend.norm(pair(x, 2.0), axis=-1), norm_derivatives(X)),
    "mean": (lambda x: backend.mean(pair(x**3, 1.0), axis=-1), ((X**3 + 1) / 2, 1.5 * X**2, 3 * X, ZERO + 3)),
    "var": (lambda x: backend.var(pair(x, 1.0), axis=-1), ((X - 1) ** 2 / 4, (X - 1) / 2, ZERO + 0.5, ZERO)),
}


def derivative(function):
    """Of a function of each number apart."""
    return grad(lambda x: ops.sum(function(x)))


def with_derivatives(x, orders):
    results = {}
    for name, (function, _) in FUNCTIONS.items():
        results[name] = []
        for _ in range(orders + 1):
            results[name].append(function(x))
            function = derivative(function)
    return results


@pytest.fixture(scope="module", params=["eager", "compiled"])
def computed(request):
    """Results of all functions: without compilation to first order, which is slow on JAX, and compiled to third."""
    backend.enable_float64()
    return jit(lambda x: with_derivatives(x, 3))(X) if request.param == "compiled" else with_derivatives(X, 1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivatives_are_the_closed_forms_to_1e_14(name, computed):
    for order, (found, expected) in enumerate(zip(computed[name], FUNCTIONS[name][1], strict=False)):
        found = ops.convert_to_numpy(found)
        np.testing.assert_allclose(found, expected, rtol=1e-14 * 10**order, atol=2e-15, err_msg=f"order {order}")


def test_every_elementary_name_is_tested():
    plain = {name.split()[0] for name in FUNCTIONS} | {"solve"}
    module = __import__(f"keras_ff.backend.{backend.backend_name()}_math", fromlist=["__all__"])
    assert plain == set(module.__all__)


def test_no_operation_computes_in_float32():
    def everything(x):
        values = [function(x) for function, _ in FUNCTIONS.values()]
        values.append(backend.solve(ops.outer(x, x) + ops.eye(4, dtype="float64"), x))
        return ops.sum(ops.stack(values))

    if backend.backend_name() == "jax":
        import jax

        text = str(jax.make_jaxpr(grad(everything))(X))
        assert "f64" in text and "f32" not in text
    else:
        import tensorflow as tf

        graph = tf.function(grad(everything), autograph=False).get_concrete_function(tf.constant(X)).graph
        dtypes = {tensor.dtype for operation in graph.get_operations() for tensor in operation.outputs}
        assert tf.float64 in dtypes and tf.float32 not in dtypes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_precision_of_the_argument_is_kept(dtype):
    x = ops.convert_to_tensor(X.astype(dtype))
    for name, (function, _) in FUNCTIONS.items():
        assert keras.backend.standardize_dtype(function(x).dtype) == dtype, name


def test_integers_and_python_numbers_count_as_floatx():
    for x in (np.array([1, 2]), 1, 0.1):
        assert keras.backend.standardize_dtype(backend.tanh(x).dtype) == "float64"
        assert keras.backend.standardize_dtype(backend.mean(x).dtype) == "float64"
    assert float(backend.sin(0.1)) == np.sin(0.1)
    assert float(backend.arctan2(0.1, 0.3)) == pytest.approx(np.arctan2(0.1, 0.3), rel=1e-15)
    assert float(backend.logaddexp(0.1, np.array(0.3))) == pytest.approx(np.logaddexp(0.1, 0.3), rel=1e-15)


def test_the_two_argument_functions_broadcast():
    column, row = np.array([[0.1], [0.7]]), np.array([0.2, 0.4, 0.9])
    np.testing.assert_allclose(backend.arctan2(column, row), np.arctan2(column, row), rtol=1e-14)
    np.testing.assert_allclose(backend.logaddexp(column, row), np.logaddexp(column, row), rtol=1e-14)
    gradient = grad(lambda x: ops.sum(backend.logaddexp(x, row)))(column)
    np.testing.assert_allclose(gradient, np.sum(1 / (1 + np.exp(row - column)), axis=1, keepdims=True), rtol=1e-14)


def test_norm_at_zero_has_the_value_and_all_derivatives_zero():
    def length(x):
        return ops.sum(backend.norm(x, axis=-1))

    x = np.zeros((2, 3))
    for function in (length, grad(length), lambda y: backend.hessian(length, y)):
        assert not np.any(ops.convert_to_numpy(function(x)))
    third = grad(lambda y: ops.sum(backend.hvp(length, y, ops.ones_like(y))))(x)
    assert not np.any(ops.convert_to_numpy(third))


def test_axes_and_keepdims_are_those_of_numpy():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in (None, 1, -1, (0, 2)):
        for keepdims in (False, True):
            for name, expected in (("mean", np.mean), ("var", np.var)):
                found = getattr(backend, name)(x, axis=axis, keepdims=keepdims)
                np.testing.assert_allclose(found, expected(x, axis=axis, keepdims=keepdims), rtol=1e-14)
            length = np.sqrt(np.sum(x**2, axis=axis, keepdims=keepdims))
            np.testing.assert_allclose(backend.norm(x, axis=axis, keepdims=keepdims), length, rtol=1e-14)


def test_softplus_and_logaddexp_do_not_overflow():
    x = np.array([-1000.0, -30.0, 0.0, 30.0, 1000.0])
    np.testing.assert_allclose(backend.softplus(x), np.logaddexp(x, 0), rtol=1e-14)
    function = backend.softplus
    for _ in range(3):
        function = derivative(function)
        assert np.all(np.isfinite(ops.convert_to_numpy(function(x))))
    infinite = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(backend.logaddexp(infinite, infinite), infinite)


def test_solve_has_the_values_and_derivatives_of_the_closed_form():
    # [[x, 1], [1, 3]] y = (1, 2)
    def first(x):
        A = ops.stack([ops.stack([x, ops.ones_like(x)]), np.array([1.0, 3.0])])
        return backend.solve(A, np.array([1.0, 2.0]))[0]

    x = 2.0
    expected = [1 / (3 * x - 1), -3 / (3 * x - 1) ** 2, 18 / (3 * x - 1) ** 3, -162 / (3 * x - 1) ** 4]
    functions = [first, grad(first), grad(grad(first)), grad(grad(grad(first)))]
    for run in (lambda function: function, jit):
        found = run(lambda x: [function(x) for function in functions])(x)
        np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-12)


def test_solve_takes_stacks_of_matrices():
    rng = np.random.default_rng(1)
    A, b = rng.normal(size=(5, 3, 3)), rng.normal(size=(5, 3, 2))
    np.testing.assert_allclose(backend.solve(A, b), np.linalg.solve(A, b), rtol=1e-11)
    gradient = grad(lambda b: ops.sum(backend.solve(A, b)))(b)
    np.testing.assert_allclose(gradient, np.linalg.solve(np.swapaxes(A, 1, 2), np.ones((5, 3, 2))), rtol=1e-10)
