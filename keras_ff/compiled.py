"""Compiled functions that are kept with their model: whoever evaluates it next, with the same shapes, compiles nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_ff import backend

if TYPE_CHECKING:
    from collections.abc import Callable


def compiled(model: keras.Model, function: Callable, **options: Any) -> Callable:
    """Compiled function that uses a model, the same object whenever it is asked for.

    Each call uses the present values of the weights. With another potential, other weights, as those of new elements, or another
    number, word or array in an attribute of one of its layers, the function is another one.

    Args:
        model: `keras_ff.ForceField`.
        function: Function of a module, of the model, arrays or nests of arrays, and `options`.
        options: Its keyword arguments that are no arrays.

    Returns:
        Function of the arrays, as `backend.jit` makes it.

    Example:
        >>> import keras_ff as kff
        >>> from keras_ff.compiled import compiled
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> compiled(model, kff.ForceField.atomic) is compiled(model, kff.ForceField.atomic)
        True
    """
    # Not an attribute that Keras tracks: this is no part of the model.
    every = vars(model).setdefault("_compiled", {})
    key, parts, settings = (function, *sorted(options.items())), [model.potential, *model.variables], _settings(model)
    kept = every.get(key)
    if kept is None or [id(part) for part in kept.parts] != [id(part) for part in parts] or kept.settings != settings:
        kept = every[key] = _Kept(parts, settings, backend.jit(lambda *args: function(model, *args, **options), layer=model))
    return kept.function


@dataclass
class _Kept:
    """A compiled function and what it was compiled for: no tuple, in which Keras would look for layers to save."""

    parts: list
    settings: list
    function: Callable


def _settings(model):
    """Numbers, words and arrays in the attributes of all layers: a compiled function has them as constants."""
    return [
        (name, _value(value))
        for layer in model._flatten_layers()
        for name, value in vars(layer).items()
        if name not in _KERAS and name != "_compiled"
    ]


def _value(value):
    """Something that can be compared; None for objects that cannot, such as layers and functions."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, dict):
        return [(key, _value(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return value if isinstance(value, (bool, int, float, complex, str, np.generic)) else None


# What Keras notes about the use of a layer is not compared.
_KERAS = set(vars(keras.Model()))
