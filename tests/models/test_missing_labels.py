"""Losses and metrics of Keras and of users, where labels are missing."""

import keras
import numpy as np
import pytest
from keras import ops
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.models.missing_labels import known_loss, known_metric
from keras_ff.potentials import NeuralIL, RepulsiveMorse


def weights_and_logs(loss, metrics=None):
    """After a step on structures one of which has no labels."""
    structures = copper(3)
    structures[0].calc = None
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.compile(keras.optimizers.SGD(1e-4), loss, metrics=metrics)
    history = model.fit(Dataset(structures, model, batch_size=3, max_shapes=1), verbose=0).history
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()]), history


def test_losses_and_metrics_of_keras_leave_out_missing_labels():
    weights, logs = weights_and_logs({"forces": "mse"}, {"forces": ["mae", keras.metrics.RootMeanSquaredError(name="root")]})
    expected, ours = weights_and_logs({"forces": kff.losses.MSE()}, kff.metrics.default_metrics(["forces"]))
    np.testing.assert_array_equal(weights, expected)
    assert np.isfinite(weights).all()
    assert (logs["forces_mae"], logs["forces_root"]) == (ours["forces_mae"], ours["forces_rmse"])


@pytest.mark.parametrize(
    ("loss", "ours"),
    [
        ("mean_squared_error", kff.losses.MSE()),
        (keras.losses.MeanAbsoluteError(), kff.losses.MAE()),
        (keras.losses.Huber(delta=0.1), kff.losses.Huber(0.1)),
        ("huber", kff.losses.Huber(1.0)),
        (keras.losses.LogCosh(), kff.losses.LogCosh(1.0)),
    ],
)
def test_losses_are_those_of_keras_where_no_label_is_missing(loss, ours):
    rng = np.random.default_rng(0)
    true, predicted = rng.normal(size=(2, 4, 3)).astype("float32")
    known = known_loss(loss)
    assert known.get_config() == ours.get_config()
    function = keras.losses.get(loss)
    assert float(ops.mean(function(true, predicted))) == pytest.approx(float(known(true, predicted)), rel=1e-6)


def test_others_are_refused_unless_they_know_of_missing_labels():
    def careless(true, predicted):
        return ops.mean(ops.where(ops.isnan(true), 0.0, (predicted - true) ** 2))

    def careful(true, predicted):
        known = ops.isfinite(true)
        return ops.mean(ops.where(known, predicted - ops.where(known, true, 0.0), 0.0) ** 2)

    # The value of the first is finite, and its derivative is not.
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    for loss in ("poisson", keras.losses.MeanSquaredError(reduction="sum"), careless):
        with pytest.raises(ValueError, match="for forces is NaN.*keras_ff.losses: MSE"):
            model.compile("sgd", {"forces": loss})
        with pytest.raises(ValueError, match="for all outputs is NaN"):
            model.compile("sgd", loss)
    model.compile("sgd", {"forces": careful})
    for metric in ("mean_absolute_percentage_error", keras.metrics.MeanSquaredLogarithmicError()):
        with pytest.raises(ValueError, match="for stress is NaN.*keras_ff.metrics: Mean"):
            model.compile("sgd", {"forces": careful}, metrics={"stress": [metric]})
    assert known_metric(None) is None and known_loss(None) is None


def test_an_ensemble_has_the_same_doors():
    ensemble = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2))
    ensemble.compile("sgd", {"forces": "mse"})
    with pytest.raises(ValueError, match="'poisson' for forces"):
        ensemble.compile("sgd", {"forces": "poisson"})
    with pytest.raises(ValueError, match="GaussianNLL; others"):
        ensemble.compile("sgd", {"forces": kff.losses.GaussianNLL()})
    with pytest.raises(ValueError, match="outputs"):
        ensemble.compile("sgd", {"force": "mse"})
