import keras
import numpy as np
import pytest
from toy_training import Fixed, ToyData, ToyModel, compiled

from keras_ff import metrics
from keras_ff.metrics import MeanAbsoluteError, RootMeanSquareError, default_metrics

NAN = float("nan")


def test_metrics_are_exact_over_batches_of_any_size_and_padding():
    rng = np.random.default_rng(0)
    labels, predictions = rng.normal(size=(2, 10, 4, 3)).astype("float32")
    labels[3:5, 2:] = labels[9] = NAN
    mae, rmse = MeanAbsoluteError(), RootMeanSquareError()
    for first, last in ((0, 1), (1, 8), (8, 9), (9, 10)):
        mae.update_state(labels[first:last], predictions[first:last])
        rmse.update_state(labels[first:last], predictions[first:last])
    errors = (predictions.astype(float) - labels)[np.isfinite(labels)]
    assert float(mae.result()) == pytest.approx(np.abs(errors).mean(), rel=1e-6)
    assert float(rmse.result()) == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-6)


def test_a_metric_without_labels_is_nan_and_not_perfect():
    metric = MeanAbsoluteError()
    metric.update_state(np.full((2, 6), NAN, "float32"), np.zeros((2, 6), "float32"))
    assert np.isnan(float(metric.result()))
    metric.update_state(np.ones((1, 6), "float32"), np.zeros((1, 6), "float32"))
    assert float(metric.result()) == 1.0
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_sample_weights_weight_structures():
    metric = RootMeanSquareError()
    labels = np.zeros((2, 2, 3), "float32")
    metric.update_state(labels, labels + [[[1.0]], [[3.0]]], sample_weight=np.array([3.0, 1.0], "float32"))
    assert float(metric.result()) == pytest.approx(np.sqrt((3 * 1 + 1 * 9) / 4))


def test_a_metric_survives_serialization():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(RootMeanSquareError(name="e")))
    assert isinstance(again, RootMeanSquareError)
    assert again.name == "e"


def test_fit_and_evaluate_log_the_errors_by_output():
    data = ToyData(shuffle=False)
    model = compiled(labels=("energy_per_atom", "forces", "stress"))
    logs = model.evaluate(data, verbose=0, return_dict=True)
    outputs = model.predict_on_batch(data.inputs)
    for output in ("energy_per_atom", "forces"):
        errors = (outputs[output].astype(float) - data.labels[output])[np.isfinite(data.labels[output])]
        assert logs[f"{output}_mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
        assert logs[f"{output}_rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)
    assert np.isnan(logs["stress_mae"])
    assert logs["loss"] == pytest.approx(0.5 * logs["energy_per_atom_loss"] + 0.5 * logs["forces_loss"], rel=1e-5)


@pytest.mark.slow_on_tensorflow
def test_losses_metrics_and_schedule_are_saved_with_the_model(tmp_path):
    data = ToyData(shuffle=False)
    model = compiled(labels=("energy_per_atom", "forces", "stress"))
    model.fit(data, epochs=1, verbose=0, shuffle=False)
    model.save(tmp_path / "toy.keras")
    again = keras.models.load_model(tmp_path / "toy.keras", custom_objects={"ToyModel": ToyModel, "Fixed": Fixed})
    expected = model.evaluate(data, verbose=0, return_dict=True)
    found = again.evaluate(data, verbose=0, return_dict=True)
    assert {**found, "stress_mae": 0, "stress_rmse": 0} == {**expected, "stress_mae": 0, "stress_rmse": 0}


def test_only_the_outputs_asked_for_are_measured():
    assert list(default_metrics(["forces"])) == ["forces"]


def test_doctests():
    import doctest

    assert doctest.testmod(metrics).failed == 0
