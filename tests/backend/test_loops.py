"""scan and cond, and the derivatives through them."""

import numpy as np
import pytest
from comparing import close
from keras import ops

from keras_ff import backend
from keras_ff.backend import cond, grad, hvp, jit, jvp, scan, value_and_grad

X = np.array([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


# scan


VELOCITY = np.array([0.3, 0.5])
DRIVE = np.linspace(0.0, 1.0, 4)


def trajectory(checkpoint, closed_over, loop=scan):
    """Of a driven pendulum; the step reads `p` and `closed_over` from around it."""

    def final(p):
        def step(carry, drive):
            acceleration = -ops.sin(p * carry["q"]) + closed_over * drive["f"]
            v = carry["v"] + 0.1 * acceleration
            q = carry["q"] + 0.1 * v
            return {"q": q, "v": v}, {"squares": ops.sum(q * q), "none": None}

        start = {"q": p * VELOCITY, "v": np.zeros(2)}
        carry, record = loop(step, start, {"f": DRIVE}, checkpoint=checkpoint)
        assert record["none"] is None and tuple(record["squares"].shape) == (4,)
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

    def values(p):
        second, third = value_and_grad(grad(first))(p)
        return [*value_and_grad(function)(p), second, jvp(first, (p,), (1.0,))[1], third]

    return values


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


def of_forces(loop):
    """As in molecular dynamics: the step is itself a gradient."""
    compiled = jit(lambda x: ops.sum(backend.softplus(x) ** 2))

    def final(p):
        def step(q, _):
            force = grad(lambda q: compiled(p * q) + ops.sqrt(ops.sum(q * q)) + ops.sum(p + backend.softplus(q - p)))(q)
            return q - 0.1 * force, None

        return ops.sum(loop(step, VELOCITY * p) ** 2)

    return final


@pytest.fixture(scope="module")
def expected_of_forces():
    """Two derivatives of four steps that are written out."""
    backend.enable_float64()

    def written_out(step, q):
        q = ops.convert_to_tensor(q)
        for _ in range(4):
            q, _ = step(q, None)
        return q

    return [float(value) for value in jit(value_and_grad(grad(of_forces(written_out))))(1.3)]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_of_forces_with_custom_gradients_and_compiled_functions_inside(run, checkpoint, expected_of_forces):
    first = grad(of_forces(lambda step, q: scan(step, q, length=4, checkpoint=checkpoint)[0]))
    found = run(value_and_grad(first))(1.3) if run is jit else [first(1.3)]
    np.testing.assert_allclose([float(value) for value in found], expected_of_forces[: len(found)], rtol=1e-11)


def test_scan_inside_a_checkpointed_scan(run):
    """As a loop over neighbors inside a loop over time."""
    offsets = np.array([0.1, 0.2, 0.3])

    def final(p, loop):
        def step(q, _):
            moved, inner = loop(lambda c, y: (ops.sin(c * p) + y * c, ops.sum(c)), q, offsets)
            return q - 0.1 * moved, ops.sum(inner)

        q, record = loop(step, VELOCITY * p, np.zeros(4))
        return ops.sum(q**2) + ops.sum(record)

    def written_out(step, carry, xs):
        carry, ys = ops.convert_to_tensor(carry), []
        for x in xs:
            carry, y = step(carry, x)
            ys.append(y)
        return carry, ops.stack(ys)

    derivative = (lambda function: value_and_grad(grad(function))) if run is jit else grad
    found = run(derivative(lambda p: final(p, lambda *args: scan(*args, checkpoint=True))))(1.3)
    expected = run(derivative(lambda p: final(p, written_out)))(1.3)
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-11)


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


@pytest.mark.parametrize("in_scan", [False, True])
def test_cond_has_the_derivatives_of_the_chosen_function(run, in_scan):
    def one(x, factor, sign):
        return ops.sum(x * sign) > 0, lambda x, factor: factor * x**3, lambda x, factor: ops.exp(factor * x)

    def chosen(x, factor, sign):
        return ops.sum(cond(*one(x, factor, sign), x, factor))

    def total(x, factor, sign):
        if in_scan:
            return ops.sum(scan(lambda carry, x: (carry, chosen(x, factor, sign)), ops.zeros(()), 1.0 * x)[1])
        return chosen(x[0], factor, sign) + chosen(x[1], factor, sign)

    def plain(x, factor, sign):
        is_first = ops.sum(x * sign, axis=1, keepdims=True) > 0
        return ops.sum(ops.where(is_first, factor * x**3, ops.exp(factor * x)))

    def all_orders(function):
        def orders(x, factor, sign):
            def pulled(factor):
                return ops.sum(grad(lambda x: function(x, factor, sign))(x) * X)

            of_x = value_and_grad(lambda x: function(x, factor, sign))(x)
            return *of_x, hvp(lambda x: function(x, factor, sign), x, X), grad(pulled)(factor)

        return run(orders)

    orders, expected = all_orders(total), all_orders(plain)
    for sign in (1.0, -1.0):
        arguments = [ops.convert_to_tensor(np.asarray(value, float)) for value in (X, 0.7, sign)]
        for one_found, one_expected in zip(orders(*arguments), expected(*arguments), strict=True):
            close(one_found, ops.convert_to_numpy(one_expected))
