import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import losses
from keras_ff.backend import jit, value_and_grad
from keras_ff.losses import MAE, MSE, ForceNorm, GaussianNLL, Huber, LogCosh

ALL = [LogCosh(p=10.0), Huber(delta=0.3), MSE(), MAE()]
FORMULAS = [
    lambda x: np.abs(x) + (np.log1p(np.exp(-20 * np.abs(x))) - np.log(2)) / 10,
    lambda x: np.where(np.abs(x) <= 0.3, x**2 / 2, 0.3 * (np.abs(x) - 0.15)),
    lambda x: x**2,
    lambda x: np.abs(x),
]
NAN = float("nan")


def labels_and_predictions(seed=0):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    labels[0, 3:] = labels[2] = NAN
    labels[1, 0, 2] = NAN
    return labels, predictions


def value_and_gradient(loss, labels, predictions, **kwargs):
    function = jit(value_and_grad(lambda x: loss(labels, x, **kwargs)))
    value, gradient = function(ops.convert_to_tensor(predictions))
    return float(ops.convert_to_numpy(value)), ops.convert_to_numpy(gradient)


def evaluate(loss, labels, predictions, **kwargs):
    return value_and_gradient(loss, labels, predictions, **kwargs)[0]


@pytest.mark.parametrize(("loss", "formula"), list(zip(ALL, FORMULAS)), ids=[type(loss).__name__ for loss in ALL])
def test_loss_is_the_mean_of_its_formula_over_the_labels_that_exist(loss, formula):
    labels, predictions = labels_and_predictions()
    errors = (predictions.astype(float) - labels)[np.isfinite(labels)]
    assert evaluate(loss, labels, predictions) == pytest.approx(formula(errors).mean(), rel=2e-6)


@pytest.mark.parametrize("loss", [*ALL, ForceNorm(LogCosh(p=3.0))], ids=lambda loss: type(loss).__name__)
def test_missing_labels_have_no_gradient_whatever_is_predicted_there(loss):
    labels, predictions = labels_and_predictions()
    predictions[2] = 1e30
    value, gradient = value_and_gradient(loss, labels, predictions)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert not gradient[np.isnan(labels)].any()
    assert gradient[3].all()


@pytest.mark.parametrize("loss", [*ALL, ForceNorm(MAE())], ids=lambda loss: type(loss).__name__)
def test_a_batch_without_labels_costs_nothing(loss):
    value, gradient = value_and_gradient(loss, np.full((2, 3, 3), NAN, "float32"), np.ones((2, 3, 3), "float32"))
    assert value == 0.0
    assert not gradient.any()


@pytest.mark.parametrize("loss", [*ALL, ForceNorm(MSE())], ids=lambda loss: type(loss).__name__)
def test_padding_does_not_dilute_the_mean(loss):
    labels, predictions = labels_and_predictions()
    padded_labels = np.full((6, 9, 3), NAN, "float32")
    padded_predictions = np.zeros((6, 9, 3), "float32")
    padded_labels[:4, :5], padded_predictions[:4, :5] = labels, predictions
    assert evaluate(loss, padded_labels, padded_predictions) == pytest.approx(evaluate(loss, labels, predictions), rel=1e-6)


@pytest.mark.parametrize("loss", [*ALL, ForceNorm(MAE())], ids=lambda loss: type(loss).__name__)
def test_perfect_predictions_have_zero_loss_and_gradient(loss):
    labels, _ = labels_and_predictions()
    value, gradient = value_and_gradient(loss, labels, np.nan_to_num(labels))
    assert value == 0.0
    assert not gradient.any()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_sample_weights_of_structures_weight_the_mean(shape):
    labels, predictions = labels_and_predictions()
    weights = np.array([1.0, 3.0, 5.0, 0.0], "float32")
    each = [evaluate(MSE(), labels[i : i + 1], predictions[i : i + 1]) for i in range(2)]
    count = np.isfinite(labels[:2]).sum(axis=(1, 2)) * weights[:2]
    expected = np.dot(each, count) / count.sum()
    assert evaluate(MSE(), labels, predictions, sample_weight=weights.reshape(shape)) == pytest.approx(expected, rel=1e-6)


def test_sample_weights_of_too_many_axes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 1, 1\) for labels of shape \(4, 1\)"):
        MSE()(np.zeros((4, 1)), np.zeros((4, 1)), sample_weight=np.ones((4, 1, 1)))


def test_log_cosh_is_the_function_of_the_paper(float64):
    x = np.linspace(-3.0, 3.0, 101)
    paper = (np.log1p(np.exp(2 * 10.0 * x)) - np.log(2)) / 10.0 - x
    ours = ops.convert_to_numpy(LogCosh(p=10.0, dtype="float64").penalty(ops.convert_to_tensor(x, dtype="float64")))
    assert np.abs(ours - paper).max() < 1e-14


def test_log_cosh_is_even_and_exact_for_small_and_large_errors_in_float32():
    x = np.array([1e-6, 1e-4, 1e-3, 0.0999, 0.1001, 1.0, 1e3, 1e30], "float32")
    small = np.log(np.cosh(10 * x[:5].astype(float))) / 10
    small[:3] = 5 * x[:3].astype(float) ** 2 * (1 - (10 * x[:3].astype(float)) ** 2 / 6)
    expected = np.concatenate([small, x[5:] - np.log(2) / 10])
    loss = LogCosh(p=10.0)
    right, left = (ops.convert_to_numpy(loss.penalty(ops.convert_to_tensor(sign * x))) for sign in (1, -1))
    np.testing.assert_array_equal(right, left)
    np.testing.assert_allclose(right, expected, rtol=1e-6)


def test_gradient_of_log_cosh_is_tanh():
    x = np.array([[-1e20, -3.0, -0.1, -1e-5, 0.0, 1e-5, 0.05, 0.1, 4.0, 1e20]], "float32")
    _, gradient = value_and_gradient(LogCosh(p=10.0), np.zeros_like(x), x)
    np.testing.assert_allclose(gradient * x.size, np.tanh(10.0 * x.astype(float)), rtol=2e-6)


def test_force_norm_is_a_mean_over_atoms_and_invariant_to_rotation():
    labels, predictions = labels_and_predictions()
    whole = np.isfinite(labels).all(axis=-1)
    norms = np.linalg.norm(predictions.astype(float) - labels, axis=-1)[whole]
    loss = ForceNorm(LogCosh(p=3.0))
    assert evaluate(loss, labels, predictions) == pytest.approx((np.log(np.cosh(3 * norms)) / 3).mean(), rel=2e-6)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turned = [np.where(np.isfinite(a).all(-1, keepdims=True), a @ rotation, NAN) for a in (labels, predictions)]
    assert evaluate(loss, *turned) == pytest.approx(evaluate(loss, labels, predictions), rel=2e-6)


@pytest.mark.parametrize("loss", [*ALL, ForceNorm(Huber(delta=0.1))], ids=lambda loss: type(loss).__name__)
def test_a_loss_survives_serialization(loss):
    config = keras.saving.serialize_keras_object(loss)
    assert config["registered_name"].startswith("keras_ff>")
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    labels, predictions = labels_and_predictions()
    assert evaluate(again, labels, predictions) == evaluate(loss, labels, predictions)


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, float("inf"), "10", None])
def test_a_scale_that_is_not_positive_is_refused(value):
    with pytest.raises(ValueError, match="Received p="):
        LogCosh(p=value)
    with pytest.raises(ValueError, match="Received delta="):
        Huber(delta=value)


def test_force_norm_of_something_else_is_refused():
    with pytest.raises(TypeError, match="ForceNorm takes one of LogCosh"):
        ForceNorm("mse")


def test_doctests():
    import doctest

    assert doctest.testmod(losses).failed == 0


def test_gaussian_likelihood_is_that_of_the_formula_and_leaves_out_missing_labels():
    """With beta = 0; at the best variance the derivative with respect to it is 0, whatever beta."""
    true = np.array([[[1.0, 2.0, 3.0], [np.nan, np.nan, np.nan]]])
    predicted = np.array([[[1.5, 2.0, 2.0, 0.25], [9.0, 9.0, 9.0, 0.0]]])
    expected = 0.5 * ((0.25 + 0.0 + 1.0) / 3 / 0.25 + np.log(0.25))
    assert float(GaussianNLL(beta=0.0, dtype="float64")(true, predicted)) == pytest.approx(expected, rel=1e-6)
    best = np.concatenate([predicted[..., :3], np.full((1, 2, 1), 1.25 / 3)], axis=-1)
    _, slope = value_and_grad(lambda x: GaussianNLL(dtype="float64")(true, x))(best)
    assert np.abs(np.asarray(slope)[0, :, 3]).max() < 1e-6 and np.isfinite(np.asarray(slope)).all()
    with pytest.raises(ValueError, match="beta"):
        GaussianNLL(beta=2)
