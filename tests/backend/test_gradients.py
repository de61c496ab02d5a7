"""Functions with gradients of their own."""

import numpy as np
import pytest
from comparing import close
from keras import ops

from keras_ff import backend
from keras_ff.backend import custom_gradient, grad, hvp

X = np.array([0.3, -0.7, 1.1])


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


@custom_gradient
def cube(x, factor):
    """x^3 with a derivative that is 10 times too large, so that it can be told apart."""
    return factor * x**3, lambda upstream: (30.0 * factor * upstream * x**2, None)


def test_a_custom_gradient_is_used_and_differentiated_itself(run):
    def everything(x):
        first = grad(lambda y: ops.sum(cube(y, 2.0)))
        second = grad(lambda y: ops.sum(first(y)))
        return {
            "value": cube(x, 2.0),
            "first": first(x),
            "second": second(x),
            "third": grad(lambda y: ops.sum(second(y)))(x),
            "hvp": hvp(lambda y: ops.sum(cube(y, 2.0)), x, np.ones(3)),
            "none": grad(lambda factor: ops.sum(cube(x, factor)))(2.0),
        }

    found = run(everything)(X)
    close(found["value"], 2 * X**3)
    close(found["first"], 60 * X**2)
    close(found["second"], 120 * X)
    close(found["third"], 120 + 0 * X)
    close(found["hvp"], 120 * X)
    close(found["none"], 0.0)


def test_a_custom_gradient_keeps_nests_and_integers(run):
    @custom_gradient
    def gathered(table, indices):
        output = {"rows": ops.take(table["values"], indices, axis=0)}

        def pullback(cotangent):
            zeros = ops.zeros_like(table["values"])
            rows = ops.scatter_update(zeros, ops.expand_dims(indices, -1), 2.0 * cotangent["rows"])
            return {"values": rows}, None

        return output, pullback

    indices = np.array([2, 0], "int32")
    gradient = run(grad(lambda x: ops.sum(gathered({"values": x}, indices)["rows"] ** 2)))(X)
    close(gradient, [4 * X[0], 0.0, 4 * X[2]])


def test_a_custom_gradient_of_one_argument_may_return_it_bare(run):
    square = custom_gradient(lambda x: (x**2, lambda upstream: 5.0 * upstream * x))
    close(run(grad(lambda x: ops.sum(square(x))))(X), 5 * X)


def test_a_custom_gradient_with_too_few_entries_is_an_error():
    wrong = custom_gradient(lambda x, y: (x * y, lambda upstream: (upstream * y,)))
    with pytest.raises(ValueError):
        grad(lambda x: ops.sum(wrong(x, 2.0)))(X)
