"""Losses and metrics of Keras and of users in models whose labels may be missing (NaN)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ff import backend, losses, metrics

# The losses of this library that are those of Keras, where no label is missing. Keras' functions, which its classes wrap.
LOSSES = {
    keras.losses.mean_squared_error: lambda options: losses.MSE(),
    keras.losses.mean_absolute_error: lambda options: losses.MAE(),
    keras.losses.huber: lambda options: losses.Huber(delta=options.get("delta", 1.0)),
    keras.losses.log_cosh: lambda options: losses.LogCosh(p=1.0),
}
METRICS = {
    keras.losses.mean_squared_error: metrics.MeanSquaredError,
    keras.losses.mean_absolute_error: metrics.MeanAbsoluteError,
    keras.metrics.MeanSquaredError: metrics.MeanSquaredError,
    keras.metrics.MeanAbsoluteError: metrics.MeanAbsoluteError,
    keras.metrics.RootMeanSquaredError: metrics.RootMeanSquareError,
}

# Reductions of Keras that are a mean.
MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


def known_loss(loss: Any, output: str = "all outputs") -> Any:
    """Loss that leaves out missing labels, in place of one of Keras that does not.

    Args:
        loss: A loss, its name, or a function, as `compile` takes them; or None.
        output: Name of the output of the model, for the text of the error.

    Returns:
        `keras_ff.losses.MSE`, `MAE`, `Huber` or `LogCosh` for those of Keras; another loss as it is.

    Raises:
        ValueError: If the loss, or its derivative, is NaN where a label is missing.

    Example:
        >>> from keras_ff.models.missing_labels import known_loss
        >>> known_loss("mse").name
        'mse'
    """
    found = keras.losses.get(loss) if isinstance(loss, str) else loss
    if found is None:
        return None
    if isinstance(found, losses.LabelLoss):
        return found.of_data()
    # Private API of Keras: the configuration of its Huber lacks `delta`.
    function, options = getattr(found, "fn", found), getattr(found, "_fn_kwargs", {})
    if function in LOSSES and getattr(found, "reduction", "mean") in MEANS:
        return LOSSES[function](options).of_data()
    labels, predictions = _example(output)
    if not _is_finite(lambda: backend.value_and_grad(lambda x: ops.sum(found(labels, x)))(predictions)):
        raise ValueError(
            f"The loss {_name(loss)} for {output} is NaN, or its derivative is, where a label is missing or pads a batch, and one "
            "step of training would make all weights NaN. Use a loss of keras_ff.losses: MSE, MAE, Huber, LogCosh or ForceNorm, or "
            "write yours as a subclass of keras_ff.losses.LabelLoss."
        )
    return loss


def known_metric(metric: Any, output: str = "all outputs") -> Any:
    """Metric that leaves out missing labels, in place of one of Keras that does not.

    Args:
        metric: A metric, its name, or a function, as `compile` takes them; or None.
        output: Name of the output of the model, for the text of the error.

    Returns:
        `keras_ff.metrics.MeanAbsoluteError`, `MeanSquaredError` or `RootMeanSquareError` for those of Keras, with the name in logs
        that it had; another metric as it is.

    Raises:
        ValueError: If the metric is NaN where a label is missing.
    """
    found = keras.metrics.get(metric) if isinstance(metric, str) else metric
    if found is None or isinstance(found, metrics.LabelMetric):
        return found
    kind = type(found) if isinstance(found, keras.metrics.Metric) else found
    if kind in METRICS:
        return METRICS[kind](name=metric if isinstance(metric, str) else getattr(found, "name", None) or found.__name__)
    labels, predictions = _example(output)
    if not _is_finite(lambda: [found(labels, predictions)]):
        raise ValueError(
            f"The metric {_name(metric)} for {output} is NaN where a label is missing or pads a batch. Use a metric of "
            "keras_ff.metrics: MeanAbsoluteError, MeanSquaredError or RootMeanSquareError."
        )
    if isinstance(found, keras.metrics.Metric):
        found.reset_state()
    return metric


def for_outputs(nest: Any, function: Any) -> Any:
    """Apply `known_loss` or `known_metric` to what `compile` takes: one, or lists and dicts of them.

    Args:
        nest: Losses or metrics.
        function: Called with each of them, and with the name of its output where that is known.
    """
    if isinstance(nest, dict):
        return {name: _each(value, function, name) for name, value in nest.items()}
    return _each(nest, function)


def _each(nest, function, *output):
    if isinstance(nest, (list, tuple)):
        return [_each(one, function, *output) for one in nest]
    return function(nest, *output)


def _example(output):
    """Labels, one of which is missing, and predictions, in the shape of an output of two structures of two atoms."""
    shape = {"forces": (2, 2, 3), "stress": (2, 6)}.get(output, (2, 1))
    labels, predictions = np.full(shape, 0.5, keras.config.floatx()), np.full(shape, 0.75, keras.config.floatx())
    labels[1] = np.nan
    return ops.convert_to_tensor(labels), ops.convert_to_tensor(predictions)


def _is_finite(function):
    """Whether all results of a function are finite; functions that do not take the example are not judged."""
    try:
        return all(np.isfinite(ops.convert_to_numpy(result)).all() for result in function())
    except Exception:  # A user's function raises whatever it runs into.
        return True


def _name(thing):
    return repr(thing) if isinstance(thing, str) else getattr(thing, "__name__", type(thing).__name__)
