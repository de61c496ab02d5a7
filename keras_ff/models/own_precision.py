"""Training in the precision of the model, whatever the default of the process.

Keras' losses, metrics and data adapters ask for `keras.config.floatx()`.
"""

import copy
import functools

import keras

from keras_ff import backend


def own_precision(method):
    """A method of a model during which `keras.config.floatx()` is the dtype of its weights."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with backend.default_dtype(self.variable_dtype):
            return method(self, *args, **kwargs)

    return wrapped


def in_dtype(nest, dtype):
    """Losses and metrics in the dtype of a model, apart from those that were made with another one on purpose.

    Args:
        nest: What `compile` takes: a loss or metric, its name, a function, None, or lists and dicts of them.
        dtype: Name of the dtype of the model.

    Returns:
        A nest of the same structure. Copies stand for losses and metrics whose dtype was not named by the user; of Keras' own,
        which do not remember it, for those in the present `keras.config.floatx()`.
    """
    if isinstance(nest, dict):
        return {name: in_dtype(value, dtype) for name, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [in_dtype(value, dtype) for value in nest]
    if not isinstance(nest, (keras.losses.Loss, keras.metrics.Metric)) or nest.dtype == dtype or _is_named(nest):
        return nest
    if isinstance(nest, keras.losses.Loss):
        changed = copy.copy(nest)
        keras.losses.Loss.__init__(changed, name=nest.name, reduction=nest.reduction, dtype=dtype)
        return changed
    # A metric has made its variables, in its dtype.
    return type(nest).from_config({**nest.get_config(), "dtype": dtype})


def _is_named(thing):
    if hasattr(thing, "given_dtype"):
        return thing.given_dtype is not None
    return thing.dtype != keras.config.floatx()
