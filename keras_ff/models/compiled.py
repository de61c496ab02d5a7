"""Compiled functions that are kept with their model: whoever evaluates it next, with the same shapes, compiles nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_ff import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from keras_ff.models.force_field import ForceField


def compiled(model: ForceField, function: Callable, **options: Any) -> Callable:
    """Compiled function that uses a model, the same object whenever it is asked for.

    Each call uses the present values of the weights. With another potential or other weights, as those of new elements, the
    function is another one.

    Args:
        model: `ForceField`.
        function: Function of a module, of the model, arrays or nests of arrays, and `options`.
        options: Its keyword arguments that are no arrays.

    Returns:
        Function of the arrays, as `backend.jit` makes it.

    Example:
        >>> import keras_ff as kff
        >>> from keras_ff.models.compiled import compiled
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> compiled(model, kff.ForceField.atomic) is compiled(model, kff.ForceField.atomic)
        True
    """
    # Not an attribute that Keras tracks: this is no part of the model.
    every = vars(model).setdefault("_compiled", {})
    key, parts = (function, *sorted(options.items())), [model.potential, *model.variables]
    kept = every.get(key)
    if kept is None or [id(part) for part in kept.parts] != [id(part) for part in parts]:
        kept = every[key] = _Kept(parts, backend.jit(lambda *args: function(model, *args, **options), layer=model))
    return kept.function


@dataclass
class _Kept:
    """A compiled function and what it was compiled for: no tuple, in which Keras would look for layers to save."""

    parts: list
    function: Callable
