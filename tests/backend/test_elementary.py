"""Elementary functions of Keras and of the backend in float64 where float32 is the default: values, derivatives, precision."""

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
    backend.prepare("float64")


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

# A function of one number, and its closed form with three derivatives, or those that Keras has right on both backends.
FUNCTIONS = {
    "sin": (ops.sin, (SIN, COS, -SIN, -COS)),
    "cos": (ops.cos, (COS, -SIN, -COS, SIN)),
    "tan": (ops.tan, tan_derivatives(X)),
    "arcsin": (ops.arcsin, arcsin_derivatives(X)),
    "arccos": (ops.arccos, (np.arccos(X), *(-value for value in arcsin_derivatives(X)[1:]))),
    "arctan": (ops.arctan, arctan_derivatives(X)),
    "arctan2": (lambda x: ops.arctan2(x, ops.full_like(x, 2.0)), chain(arctan_derivatives(X / 2), 0.5)),
    "arctan2 of the denominator": (
        lambda x: ops.arctan2(ops.full_like(x, 0.5), 2.0 + x),
        (np.arctan2(0.5, 2 + X), *(-value for value in chain(arctan_derivatives(2 * (2 + X)), 2)[1:])),
    ),
    "sinh": (ops.sinh, (SINH, COSH, SINH, COSH)),
    "cosh": (ops.cosh, (COSH, SINH, COSH, SINH)),
    "tanh": (ops.tanh, tanh_derivatives(X)),
    "erfc": (backend.erfc, erfc_derivatives(X)),
    "floor": (ops.floor, (np.floor(X), ZERO, ZERO, ZERO)),
    "ceil": (ops.ceil, (np.ceil(X), ZERO, ZERO, ZERO)),
    "softplus": (backend.softplus, logaddexp_derivatives(X, 0.0)),
    "logaddexp": (lambda x: ops.logaddexp(x, ops.full_like(x, 0.25)), logaddexp_derivatives(X, 0.25)[:2]),
    "silu": (ops.silu, swish_derivatives(X)),
    "norm": (lambda x: ops.norm(pair(x, 2.0), axis=-1), norm_derivatives(X)[:2]),
    "mean": (lambda x: ops.mean(pair(x**3, 1.0), axis=-1), ((X**3 + 1) / 2, 1.5 * X**2, 3 * X, ZERO + 3)),
    "var": (lambda x: ops.var(pair(x, 1.0), axis=-1), ((X - 1) ** 2 / 4, (X - 1) / 2)),
}


def derivative(function):
    """Of a function of each number apart."""
    return grad(lambda x: ops.sum(function(x)))


def with_derivatives(x, orders):
    results = {}
    for name, (function, expected) in FUNCTIONS.items():
        results[name] = []
        for _ in range(min(orders + 1, len(expected))):
            results[name].append(function(x))
            function = derivative(function)
    return results


@pytest.fixture(scope="module", params=["eager", "compiled"])
def computed(request):
    """Results of all functions: without compilation to first order, which is slow on JAX, and compiled to third."""
    backend.prepare("float64")
    return jit(lambda x: with_derivatives(x, 3))(X) if request.param == "compiled" else with_derivatives(X, 1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivatives_are_the_closed_forms_to_1e_14(name, computed):
    for order, (found, expected) in enumerate(zip(computed[name], FUNCTIONS[name][1], strict=False)):
        found = ops.convert_to_numpy(found)
        np.testing.assert_allclose(found, expected, rtol=1e-14 * 10**order, atol=2e-15, err_msg=f"order {order}")


def test_no_operation_computes_in_float32():
    def everything(x):
        values = [function(x) for function, _ in FUNCTIONS.values()]
        values.append(ops.solve(ops.outer(x, x) + ops.eye(4, dtype="float64"), x))
        values.append(ops.layer_normalization(x))
        return ops.sum(ops.stack(values))

    if backend.backend_name() == "jax":
        import jax

        text = str(jax.make_jaxpr(grad(everything))(X))
        assert "f64" in text and "f32" not in text
    else:
        import tensorflow as tf

        graph = tf.function(grad(everything), autograph=False).get_concrete_function(tf.constant(X)).graph
        tensors = [tensor for operation in graph.get_operations() for tensor in operation.outputs]
        # The parameter of tf.nn.silu is 1.
        single = [tensor for tensor in tensors if tensor.dtype == tf.float32 and tf.get_static_value(tensor) != 1]
        assert not single and tf.float64 in {tensor.dtype for tensor in tensors}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_precision_of_the_argument_is_kept(dtype):
    x = ops.convert_to_tensor(X.astype(dtype))
    for name, (function, _) in FUNCTIONS.items():
        assert keras.backend.standardize_dtype(function(x).dtype) == dtype, name


def test_softplus_does_not_overflow():
    x = np.array([-1000.0, -30.0, 0.0, 30.0, 1000.0])
    np.testing.assert_allclose(backend.softplus(x), np.logaddexp(x, 0), rtol=1e-14)
    function = backend.softplus
    for _ in range(3):
        function = derivative(function)
        assert np.all(np.isfinite(ops.convert_to_numpy(function(x))))
    infinite = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(backend.softplus(infinite), [0.0, np.inf])
