"""The laws of layers of arrays. Each takes a layer and inputs `(rows, ...)`, and returns a `LawResult`."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.stateless import with_weights
from keras_ff.testing.derivative_laws import FIVE_POINTS
from keras_ff.testing.law import LawResult, Worst

STEP = 1e-4


def layer_results(layer, inputs, seed=0):
    """The `LawResult` of every law of a layer, one after the other.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        seed: Seed of the random numbers that the outputs are multiplied with.

    Yields:
        `LawResult`.
    """
    functions = _functions(layer, inputs, seed)
    yield double_precision(layer, inputs, functions)
    yield rows_are_independent(layer, inputs, functions)
    yield input_derivatives(layer, inputs, functions)
    yield weight_derivatives(layer, inputs, functions)
    yield second_derivatives(layer, inputs, functions)
    yield serialization(layer, inputs, functions)


def double_precision(layer, inputs, functions=None, tolerance=0.0):
    """The output is float64, and finite, for float64 inputs.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    output = _use(functions, layer, inputs).output
    found = output(_values(layer), inputs)
    detail = f"The output is {found.dtype}, {found.shape} for inputs {inputs.shape}."
    good = found.dtype == np.float64 and np.isfinite(found).all()
    return LawResult("double precision", 0.0 if good else np.nan, tolerance, detail)


def rows_are_independent(layer, inputs, functions=None, tolerance=1e-12):
    """Rows in reversed order have the reversed outputs, and other rows do not matter.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes, relative to the largest number of its array, or to 1e-3.

    Returns:
        `LawResult`.
    """
    output = _use(functions, layer, inputs).output
    values = _values(layer)
    before = output(values, inputs)
    worst = Worst()
    worst.compare("output", output(values, inputs[::-1].copy())[::-1], before, " of rows in reversed order")
    changed = inputs.copy()
    changed[1:] = inputs[0]
    worst.compare("output", output(values, changed)[0], before[0], " of row 0 with other rows beside it")
    return worst.result("rows are independent", tolerance)


def input_derivatives(layer, inputs, functions=None, tolerance=1e-7):
    """The derivatives with respect to the inputs are those of five-point differences.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes, relative to the largest number of its array, or to 1e-3.

    Returns:
        `LawResult`.
    """
    return _compare_derivatives(layer, inputs, functions, "derivatives with respect to the inputs", tolerance, by_weights=False)


def weight_derivatives(layer, inputs, functions=None, tolerance=1e-7):
    """The derivatives with respect to the trainable weights are those of five-point differences.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes, relative to the largest number of its array, or to 1e-3.

    Returns:
        `LawResult`.
    """
    if not layer.trainable_weights:
        return Worst("The layer has no trainable weights.").result("derivatives with respect to the weights", tolerance)
    return _compare_derivatives(layer, inputs, functions, "derivatives with respect to the weights", tolerance, by_weights=True)


def second_derivatives(layer, inputs, functions=None, tolerance=1e-7):
    """Second derivatives with respect to inputs and trainable weights, mixed ones too, are those of differences of the first.

    Training on forces needs them. Keras' own layer normalization fails on TensorFlow.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes, relative to the largest number of its array, or to 1e-3.

    Returns:
        `LawResult`.
    """
    functions = _use(functions, layer, inputs)
    rng = np.random.default_rng(2)
    values = _values(layer)
    direction = [rng.normal(size=value.shape) for value in values], rng.normal(size=inputs.shape)
    found = functions.curvature(values, inputs, *direction)

    def gradient(steps):
        return functions.derivatives(
            [v + steps * STEP * d for v, d in zip(values, direction[0])], inputs + steps * STEP * direction[1]
        )[1]

    gradients = [gradient(steps) for steps, _ in FIVE_POINTS]
    names = [f" with respect to {weight.path}" for weight in layer.weights] + [" with respect to the inputs"]
    worst = Worst()
    for index, name in enumerate(names):
        expected = sum(weight * g[index] for (_, weight), g in zip(FIVE_POINTS, gradients)) / STEP
        worst.compare("derivative", found[index], expected, name)
    return worst.result("second derivatives", tolerance)


def serialization(layer, inputs, functions=None, tolerance=1e-12):
    """The layer made from its configuration has the same configuration, takes the weights, and gives the same outputs.

    Args:
        layer: The `keras.layers.Layer`, built, in float64.
        inputs: float64 NumPy array `(rows, ...)`.
        functions: Compiled functions of the layer that the laws share; None to compile them.
        tolerance: Largest deviation that passes, relative to the largest number of its array, or to 1e-3.

    Returns:
        `LawResult`.
    """
    name = "serialization"
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    if copy.get_config() != layer.get_config():
        return LawResult(name, np.nan, tolerance, f"The configuration {layer.get_config()} became {copy.get_config()}.")
    if not copy.built:
        copy.build(inputs.shape)
    copy.set_weights(layer.get_weights())
    output, again = _use(functions, layer, inputs).output, _functions(copy, inputs, 0).output
    worst = Worst()
    worst.compare("output", again(_values(copy), inputs), output(_values(layer), inputs))
    return worst.result(name, tolerance)


def _compare_derivatives(layer, inputs, functions, name, tolerance, by_weights):
    derivatives = _use(functions, layer, inputs).derivatives
    rng = np.random.default_rng(1)
    values = _values(layer)
    trainable = {id(weight) for weight in layer.trainable_weights}
    step_inputs = np.zeros_like(inputs) if by_weights else rng.normal(size=inputs.shape)
    step_values = [
        rng.normal(size=value.shape) if by_weights and id(weight) in trainable else np.zeros_like(value)
        for weight, value in zip(layer.weights, values)
    ]

    def at(steps):
        return derivatives([v + steps * STEP * d for v, d in zip(values, step_values)], inputs + steps * STEP * step_inputs)

    _, gradient = at(0)
    expected = np.dot([at(steps)[0] for steps, _ in FIVE_POINTS], [weight for _, weight in FIVE_POINTS]) / STEP
    parts = [float(np.sum(g * d)) for g, d in zip(gradient, [*step_values, step_inputs])]
    worst = Worst()
    worst.compare("derivative", [sum(parts), *parts], [expected, *parts], " along a random direction")
    return worst.result(name, tolerance)


def _values(layer):
    return [ops.convert_to_numpy(weight) for weight in layer.weights]


def _use(functions, layer, inputs):
    return functions or _functions(layer, inputs, 0)


def _functions(layer, inputs, seed):
    """Compiled functions of weights and inputs: the output, a random sum of it with its derivatives, products with its Hessian."""
    mix = []

    def output(values, inputs):
        return with_weights(layer, values, layer, inputs)

    def loss(arguments):
        values, inputs = arguments
        found = output(values, inputs)
        if not mix:
            mix.append(np.random.default_rng(seed).normal(size=tuple(found.shape)))
        return ops.sum(found * ops.convert_to_tensor(mix[0], dtype=found.dtype))

    def derivatives(values, inputs):
        value, (by_values, by_inputs) = backend.value_and_grad(loss)((values, inputs))
        return value, [*by_values, by_inputs]

    def curvature(values, inputs, by_values, by_inputs):
        products = backend.hvp(loss, (values, inputs), (by_values, by_inputs))
        return [*products[0], products[1]]

    return _Functions(*(_from_numpy_to_numpy(function) for function in (output, derivatives, curvature)))


class _Functions(NamedTuple):
    output: Callable
    derivatives: Callable
    curvature: Callable


def _from_numpy_to_numpy(function):
    compiled = backend.jit(function)

    def convert(result):
        return type(result)(convert(item) for item in result) if isinstance(result, (list, tuple)) else ops.convert_to_numpy(result)

    return lambda *args: convert(compiled(*args))
