"""Cubic splines against SciPy, their derivatives, and their weights."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.interpolate import CubicSpline as Reference

from keras_ff import backend
from keras_ff.layers import CubicSpline, Roughness
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")

VALUES = np.random.default_rng(0).normal(size=9)
INSIDE = np.linspace(1.0, 5.0, 131)


def reference(values, slopes):
    ends = [(2, 0.0) if slope is None else (1, slope) for slope in slopes]
    return Reference(np.linspace(1.0, 5.0, len(values)), values, bc_type=tuple(ends))


def derivatives(spline, x, order):
    """The derivative of some order at each place."""

    def function(x):
        return ops.sum(spline(x))

    for _ in range(order):
        function = (lambda inner: lambda x: ops.sum(backend.value_and_grad(inner)(x)[1]))(function)
    return ops.convert_to_numpy(backend.jit(lambda x: backend.value_and_grad(function)(x)[1])(x))


@pytest.mark.parametrize("slopes", [(None, None), (0.7, -1.3), (None, 0.4), (-2.0, None)])
def test_values_and_derivatives_are_those_of_scipy(slopes):
    spline, known = CubicSpline(1.0, 5.0, VALUES, slopes), reference(VALUES, slopes)
    np.testing.assert_allclose(ops.convert_to_numpy(spline(INSIDE)), known(INSIDE), atol=1e-13)
    between = INSIDE[1:-1] + 1e-3
    np.testing.assert_allclose(derivatives(spline, between, 0), known(between, 1), atol=1e-12)
    np.testing.assert_allclose(derivatives(spline, between, 1), known(between, 2), atol=1e-11)


def test_two_knots_are_enough():
    spline = CubicSpline(1.0, 5.0, [2.0, -1.0], (0.5, 0.0))
    np.testing.assert_allclose(ops.convert_to_numpy(spline(INSIDE)), reference([2.0, -1.0], (0.5, 0.0))(INSIDE), atol=1e-13)


def test_beyond_the_knots_it_is_a_line_or_the_last_cubic():
    outside, slopes = np.array([-1.0, 0.5, 0.999, 5.001, 7.0]), (0.7, -1.3)
    known = reference(VALUES, slopes)
    line = np.where(outside < 3, VALUES[0] + 0.7 * (outside - 1.0), VALUES[-1] - 1.3 * (outside - 5.0))
    linear, cubic = (CubicSpline(1.0, 5.0, VALUES, slopes, extrapolation=kind) for kind in ("linear", "cubic"))
    np.testing.assert_allclose(ops.convert_to_numpy(linear(outside)), line, atol=1e-12)
    np.testing.assert_allclose(ops.convert_to_numpy(cubic(outside)), known(outside), atol=1e-11)
    np.testing.assert_allclose(derivatives(linear, outside, 1), 0.0, atol=1e-12)


def test_several_splines_share_their_knots():
    values = np.random.default_rng(1).normal(size=(9, 3))
    spline = CubicSpline(1.0, 5.0, values, (np.array([0.1, 0.2, 0.3]), None))
    together = ops.convert_to_numpy(spline(INSIDE.reshape(-1, 1)))
    assert together.shape == (131, 1, 3) == spline.compute_output_shape((131, 1))
    for place in range(3):
        alone = CubicSpline(1.0, 5.0, values[:, place], (0.1 * (place + 1), None))
        np.testing.assert_allclose(together[:, 0, place], ops.convert_to_numpy(alone(INSIDE)), atol=1e-13)
    which = np.arange(131, dtype="int32") % 3
    np.testing.assert_allclose(ops.convert_to_numpy(spline(INSIDE, which=which)), together[np.arange(131), 0, which], atol=1e-14)


def test_laws():
    check_layer(CubicSpline(1.0, 5.0, VALUES, (0.7, -1.3), train_slopes=True), np.array([[0.4], [1.3], [2.9], [4.6], [5.7]]))


def test_fitted_to_a_function():
    spline = CubicSpline(1.0, 5.0, np.zeros(41), (0.0, 0.0))
    spline.fit_to(np.sin)
    np.testing.assert_allclose(ops.convert_to_numpy(spline(INSIDE)), np.sin(INSIDE), atol=1e-6)
    np.testing.assert_allclose(spline.numbers()[1], np.cos([1.0, 5.0]), atol=1e-9)


def test_roughness_is_the_integral_of_the_squared_curvature():
    x = np.linspace(0.0, 3.0, 301)
    penalty = Roughness(2.0, spacing=0.01)(ops.convert_to_tensor(np.sin(x)))
    assert float(penalty) == pytest.approx(2.0 * (1.5 - np.sin(6.0) / 4), rel=0.01)
    straight = CubicSpline(1.0, 5.0, np.linspace(0, 1, 9), roughness=0.1)
    wavy = CubicSpline(1.0, 5.0, VALUES, roughness=0.1)
    assert float(straight.losses[0]) == pytest.approx(0.0, abs=1e-25) and float(wavy.losses[0]) > 0.1
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(wavy))
    assert float(again.losses[0]) == float(wavy.losses[0])


def test_what_vanishes_stays_zero_whatever_the_weights_are():
    spline = CubicSpline(1.0, 5.0, [*VALUES[:-1], 0.0], (0.1, 0.0), train_slopes=True, roughness=0.1, vanishes=True)
    with_end = CubicSpline(1.0, 5.0, [*VALUES[:-1], 0.0], (0.1, 0.0))
    penalty = float(spline.losses[0])
    spline.values.assign([*VALUES[:-1], 0.7])
    spline.slopes.assign([0.1, 0.3])
    x = np.linspace(0.5, 7.0, 50)
    np.testing.assert_allclose(ops.convert_to_numpy(spline(x)), ops.convert_to_numpy(with_end(x)), rtol=0, atol=1e-15)
    assert spline.numbers()[0][-1] == spline.numbers()[1][1] == 0.0 and float(spline.losses[0]) == penalty
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(spline))
    assert again.vanishes
    for values, slopes in ((VALUES, (0.1, 0.0)), ([*VALUES[:-1], 0.0], (0.1, None)), ([*VALUES[:-1], 0.0], (0.1, 0.2))):
        with pytest.raises(ValueError, match="ends with value and slope 0"):
            CubicSpline(1.0, 5.0, values, slopes, vanishes=True)


def test_float32_keeps_the_digits_of_what_is_not_trained():
    spline = CubicSpline(1.0, 5.0, VALUES, (0.1, 0.2), dtype="float32")
    assert np.array_equal(spline.numbers()[0], VALUES) and spline.numbers()[1].tolist() == [0.1, 0.2]
    assert spline(INSIDE.astype("float32")).dtype == spline.values.dtype


def test_what_cannot_be():
    with pytest.raises(ValueError, match="two knots or more"):
        CubicSpline(1.0, 5.0, [1.0])
    with pytest.raises(ValueError, match="first=5.0, last=1.0"):
        CubicSpline(5.0, 1.0, VALUES)
    with pytest.raises(ValueError, match="extrapolation is one of"):
        CubicSpline(1.0, 5.0, VALUES, extrapolation="none")
