"""Training in the precision of the model, whatever the default of the process.

Keras' losses, metrics and data adapters ask for `keras.config.floatx()`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import keras

from keras_ff import backend
from keras_ff.forks import check_process
from keras_ff.losses import LabelLoss, copied
from keras_ff.metrics import LabelMetric

if TYPE_CHECKING:
    from collections.abc import Callable


def own_precision(method: Callable) -> Callable:
    """Decorator of a method of a model: while it runs, `keras.config.floatx()` is the dtype of the weights of the model.

    It is an error in the fork of a process that has computed.
    """

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        check_process()
        with backend.default_dtype(self.variable_dtype):
            return method(self, *args, **kwargs)

    return wrapped


def in_dtype(nest, dtype: str):
    """Losses and metrics in the dtype of a model, apart from those that were made with another one on purpose.

    Args:
        nest: A loss or metric, its name, a function, None, or lists and dicts of them, as `compile` takes them.
        dtype: Name of the dtype of the model.

    Returns:
        A nest of the same structure, in which copies replace losses and metrics whose dtype was not named by the user. Losses and
        metrics of Keras do not remember that: they are replaced if their dtype is the present `keras.config.floatx()`.

    Example:
        >>> import keras
        >>> from keras_ff.models.own_precision import in_dtype
        >>> in_dtype({"forces": keras.losses.MeanSquaredError(), "energy": "mse"}, "float64")["forces"].dtype
        'float64'
    """
    if isinstance(nest, dict):
        return {name: in_dtype(value, dtype) for name, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [in_dtype(value, dtype) for value in nest]
    if not isinstance(nest, (keras.losses.Loss, keras.metrics.Metric)) or nest.dtype == dtype or _is_named(nest):
        return nest
    if isinstance(nest, keras.losses.Loss):
        changed = copied(nest)
        keras.losses.Loss.__init__(changed, name=nest.name, reduction=nest.reduction, dtype=dtype)
        return changed
    # A metric has made its variables, in its dtype.
    return type(nest).from_config({**nest.get_config(), "dtype": dtype})


def _is_named(thing):
    if isinstance(thing, (LabelLoss, LabelMetric)):
        return thing.given_dtype is not None
    return thing.dtype != keras.config.floatx()
