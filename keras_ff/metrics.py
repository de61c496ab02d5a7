"""Metrics: errors of a model in the units of its outputs, over the labels that exist."""

import keras
from keras import ops

from keras_ff.losses import with_trailing_axes


class LabelMetric(keras.metrics.Metric):
    """Base class of metrics that average a penalty over all finite labels since the last reset.

    Sum and count are kept, not means of batches, so that the result does not
    depend on how the data were divided into batches or padded. Missing labels
    (NaN) do not count; without any label the result is NaN, not a perfect 0.
    Weights of structures and labels do not count either, unless the metric is
    among the `weighted_metrics` of `compile`: an error says how wrong a prediction is.

    Args:
        name: Name of the metric in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the metric.
    """

    # Private API of Keras: less is better. Without it KerasTuner has to be told.
    _direction = "down"

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.given_dtype = dtype
        self.total = self.add_variable(shape=(), initializer="zeros", dtype=self.dtype, name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", dtype=self.dtype, name="count")

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add the labels and predictions of a batch; sample weights as in the losses."""
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        exists = ops.isfinite(y_true)
        weights = ops.cast(exists, self.dtype)
        if sample_weight is not None:
            weights = weights * with_trailing_axes(ops.convert_to_tensor(sample_weight, dtype=self.dtype), weights)
        error = ops.where(exists, y_pred - y_true, ops.zeros_like(y_true))
        self.total.assign_add(ops.sum(weights * self.penalty(error)))
        self.count.assign_add(ops.sum(weights))

    def mean(self):
        """Return the mean penalty, a scalar tensor."""
        total, count = ops.convert_to_tensor(self.total), ops.convert_to_tensor(self.count)
        some = count > 0
        return ops.where(some, total / ops.where(some, count, ops.ones_like(count)), ops.full_like(total, float("nan")))

    def result(self):
        """Return the metric, a scalar tensor."""
        return self.mean()

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"name": self.name, "dtype": self.given_dtype}


@keras.saving.register_keras_serializable("keras_ff")
class MeanAbsoluteError(LabelMetric):
    """Mean absolute error of the labels that exist, in the unit of the label.

    Args:
        name: Name of the metric in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the metric.

    Example:
        >>> import keras_ff as kff
        >>> metric = kff.metrics.MeanAbsoluteError()
        >>> metric.update_state([[0.0, 0.0, float("nan")]], [[1.0, 2.0, 9.0]])
        >>> float(metric.result())
        1.5
    """

    def __init__(self, name="mae", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def penalty(self, error):
        """Compute the absolute value of each error."""
        return ops.abs(error)


@keras.saving.register_keras_serializable("keras_ff")
class MeanSquaredError(LabelMetric):
    """Mean squared error of the labels that exist, in the squared unit of the label.

    Args:
        name: Name of the metric in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the metric.

    Example:
        >>> import keras_ff as kff
        >>> metric = kff.metrics.MeanSquaredError()
        >>> metric.update_state([[0.0, 0.0, float("nan")]], [[1.0, 2.0, 9.0]])
        >>> float(metric.result())
        2.5
    """

    def __init__(self, name="mse", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def penalty(self, error):
        """Compute the square of each error."""
        return error * error


@keras.saving.register_keras_serializable("keras_ff")
class RootMeanSquareError(LabelMetric):
    """Root-mean-square error of the labels that exist, in the unit of the label.

    Args:
        name: Name of the metric in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the metric.

    Example:
        >>> import keras_ff as kff
        >>> metric = kff.metrics.RootMeanSquareError()
        >>> metric.update_state([[0.0, 0.0, float("nan")]], [[3.0, 4.0, 9.0]])
        >>> round(float(metric.result()), 4)
        3.5355
    """

    def __init__(self, name="rmse", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def penalty(self, error):
        """Compute the square of each error."""
        return error * error

    def result(self):
        """Return the root of the mean squared error, a scalar tensor."""
        return ops.sqrt(self.mean())


def default_metrics(outputs=("energy_per_atom", "forces", "stress")):
    """Mean absolute and root-mean-square errors of all outputs, for `model.compile(metrics=...)`.

    Keras names them after the output: `energy_per_atom_mae` (eV),
    `forces_rmse` (eV/Å, over components), `stress_mae` (eV/Å^3), and with
    `val_` in front for the validation data.

    Args:
        outputs: Names of the outputs of the model that are measured.

    Returns:
        Dict from the names of the outputs to lists of metrics.

    Example:
        >>> import keras_ff as kff
        >>> sorted(kff.metrics.default_metrics(["forces"]))
        ['forces']
        >>> [metric.name for metric in kff.metrics.default_metrics()["stress"]]
        ['mae', 'rmse']
    """
    return {output: [MeanAbsoluteError(), RootMeanSquareError()] for output in outputs}
