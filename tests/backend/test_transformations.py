"""vmap, jit and scan, and the derivatives through them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import backend
from keras_ff.backend import cond, grad, hvp, jit, jvp, scan, vmap

X = np.array([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


@pytest.fixture(params=["eager", "compiled"])
def run(request):
    """The function itself, or compiled."""
    return jit if request.param == "compiled" else (lambda function: function)


def close(found, expected, rtol=1e-13):
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=rtol, atol=1e-14)


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
        return ops.sum(backend.sin(x[1:]) * x[0]) + backend.norm(x) ** 3

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


# scan


VELOCITY = np.array([0.3, 0.5])
DRIVE = np.linspace(0.0, 1.0, 7)


def trajectory(checkpoint, closed_over, loop=scan):
    """Of a driven pendulum; the step reads `p` and `closed_over` from around it."""

    def final(p):
        def step(carry, drive):
            acceleration = -backend.sin(p * carry["q"]) + closed_over * drive["f"]
            v = carry["v"] + 0.1 * acceleration
            q = carry["q"] + 0.1 * v
            return {"q": q, "v": v}, {"squares": ops.sum(q * q), "none": None}

        start = {"q": p * VELOCITY, "v": np.zeros(2)}
        carry, record = loop(step, start, {"f": DRIVE}, checkpoint=checkpoint)
        assert record["none"] is None and tuple(record["squares"].shape) == (7,)
        return ops.sum(carry["q"] * carry["v"]) + ops.sum(record["squares"])

    return final


def python_loop(step, carry, xs, checkpoint):
    records = []
    for f in DRIVE:
        carry, record = step(carry, {"f": f})
        records.append(record["squares"])
    return carry, {"squares": ops.stack(records), "none": None}


def orders(function):
    """The value, three reverse derivatives, and forward over reverse."""
    first = grad(function)
    second = grad(first)
    return lambda p: [function(p), first(p), second(p), jvp(first, (p,), (1.0,))[1], grad(second)(p)]


@pytest.fixture(scope="module")
def expected():
    backend.enable_float64()
    return [float(value) for value in jit(orders(trajectory(False, 0.7, python_loop)))(1.3)]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_has_the_three_derivatives_of_the_written_out_loop(checkpoint, expected):
    found = [float(value) for value in jit(orders(trajectory(checkpoint, np.float64(0.7))))(1.3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[3] == pytest.approx(found[2], rel=1e-12)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_works_without_compilation(checkpoint, expected):
    function = trajectory(checkpoint, np.float64(0.7))
    found = [float(value) for value in (function(1.3), grad(function)(1.3), grad(grad(function))(1.3))]
    np.testing.assert_allclose(found, expected[:3], rtol=1e-12)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_differentiates_what_its_step_reads_from_around_it(run, checkpoint):
    step = 1e-4

    def value(closed_over):
        return trajectory(checkpoint, closed_over)(1.3)

    numerical = (float(value(0.7 + step)) - float(value(0.7 - step))) / (2 * step)
    assert float(run(grad(value))(0.7)) == pytest.approx(numerical, rel=1e-7)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_of_forces_with_custom_gradients_and_compiled_functions_inside(run, checkpoint):
    """As in molecular dynamics: the step is itself a gradient."""
    compiled = jit(lambda x: ops.sum(backend.softplus(x) ** 2))

    def final(p, loop):
        def step(q, _):
            force = grad(lambda q: compiled(p * q) + backend.norm(q) + ops.sum(backend.logaddexp(q, p)))(q)
            return q - 0.1 * force, None

        return ops.sum(loop(step, VELOCITY * p) ** 2)

    def by_scan(p):
        return final(p, lambda step, q: scan(step, q, length=4, checkpoint=checkpoint)[0])

    def written_out(q, step):
        for _ in range(4):
            q, _ = step(q, None)
        return q

    def by_hand(p):
        return final(p, lambda step, q: written_out(ops.convert_to_tensor(q), step))

    for derivative in (grad, lambda function: grad(grad(function)))[: 2 if run is jit else 1]:
        found, expected = (run(derivative(function))(1.3) for function in (by_scan, by_hand))
        close(found, ops.convert_to_numpy(expected), rtol=1e-11)


def test_scan_inside_a_checkpointed_scan(run):
    """As a loop over neighbors inside a loop over time."""
    offsets = np.array([0.1, 0.2, 0.3])

    def final(p, loop):
        def step(q, _):
            moved, inner = loop(lambda c, y: (backend.sin(c * p) + y * c, ops.sum(c)), q, offsets)
            return q - 0.1 * moved, ops.sum(inner)

        q, record = loop(step, VELOCITY * p, np.zeros(4))
        return ops.sum(q**2) + ops.sum(record)

    def written_out(step, carry, xs):
        carry, ys = ops.convert_to_tensor(carry), []
        for x in xs:
            carry, y = step(carry, x)
            ys.append(y)
        return carry, ops.stack(ys)

    for derivative in (grad, lambda function: grad(grad(function)))[: 2 if run is jit else 1]:
        found = run(derivative(lambda p: final(p, lambda *args: scan(*args, checkpoint=True))))(1.3)
        close(found, ops.convert_to_numpy(derivative(lambda p: final(p, written_out))(1.3)), rtol=1e-11)


@pytest.mark.skipif(backend.backend_name() == "jax", reason="TensorFlow cannot trace every use of a variable")
def test_a_checkpointed_step_that_uses_a_variable_inside_another_loop_is_refused():
    variable = keras.Variable(np.float64(0.7))

    def step(q, _):
        return scan(lambda c, _: (c * variable, None), q, length=2)[0], None

    with pytest.raises(NotImplementedError, match="checkpoint=False"):
        jit(lambda q: scan(step, q, length=2, checkpoint=True)[0])(VELOCITY)


def test_scan_of_no_steps_and_of_a_given_length():
    carry, ys = scan(lambda c, x: (c + 1.0, c * x), 0.0, np.zeros(0))
    assert float(carry) == 0 and tuple(ys.shape) == (0,)
    carry, ys = scan(lambda c, _: (c + 1, (c, 2.0 * VELOCITY)), 0, length=3)
    assert int(carry) == 3
    close(ys[0], [0, 1, 2])
    close(ys[1], [2 * VELOCITY] * 3)


def test_scan_without_a_number_of_steps_or_with_a_changing_carry_is_an_error(run):
    with pytest.raises(ValueError, match="length"):
        scan(lambda c, x: (c, x), 0.0)
    with pytest.raises(ValueError):
        scan(lambda c, x: (c, x), 0.0, np.zeros(3), length=4)
    with pytest.raises(TypeError):
        run(lambda x: scan(lambda c, _: (ops.concatenate([c, c]), None), x, length=2)[0])(VELOCITY)
    with pytest.raises(TypeError):
        run(lambda x: scan(lambda c, _: (ops.cast(c, "float32"), None), x, length=2)[0])(VELOCITY)


# cond


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("in_scan", [False, True])
def test_cond_has_the_derivatives_of_the_chosen_function(run, sign, in_scan):
    def one(x, factor):
        return ops.sum(x * sign) > 0, lambda x, factor: factor * x**3, lambda x, factor: ops.exp(factor * x)

    def chosen(x, factor):
        return ops.sum(cond(*one(x, factor), x, factor))

    def total(x, factor):
        if in_scan:
            return ops.sum(scan(lambda carry, x: (carry, chosen(x, factor)), ops.zeros(()), 1.0 * x)[1])
        return chosen(x[0], factor) + chosen(x[1], factor)

    def plain(x, factor):
        is_first = ops.sum(x * sign, axis=1, keepdims=True) > 0
        return ops.sum(ops.where(is_first, factor * x**3, ops.exp(factor * x)))

    def all_orders(function):
        def orders(x, factor):
            def pulled(factor):
                return ops.sum(grad(lambda x: function(x, factor))(x) * X)

            return function(x, factor), grad(function)(x, factor), hvp(lambda x: function(x, factor), x, X), grad(pulled)(factor)

        return run(orders)(ops.convert_to_tensor(X), ops.convert_to_tensor(np.float64(0.7)))

    for found, expected in zip(all_orders(total), all_orders(plain), strict=True):
        close(found, ops.convert_to_numpy(expected))
