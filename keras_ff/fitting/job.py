"""What a fit is of: a description of its model and targets that is compared when it continues."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from ase import Atoms

from keras_ff.files.fingerprints import fingerprint, of_config, of_structures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keras_ff.models import ForceField

# Attributes of targets, properties and simulations that change while the weights change, or say nothing of the result.
_CHANGING = {"model", "batch", "before", "version", "simulations", "starts", "verbose"}


def described(model: ForceField, targets: Mapping[str, Any]) -> dict[str, Any]:
    """Description of a fit: the configuration of its model, and class, structures, values and settings of its targets.

    Args:
        model: The `ForceField`.
        targets: Dict from names to targets.

    Returns:
        Nested dict of numbers, strings and fingerprints, as JSON holds them.
    """
    potential = {"class": type(model.potential).__name__, **of_config(model.get_config())}
    job = {"model": potential, "target": {name: _described(target) for name, target in targets.items()}}
    return json.loads(json.dumps(job, default=fingerprint))


def same_weights(one: Sequence[np.ndarray], other: Sequence[np.ndarray] | None) -> bool:
    """Whether two lists of weights agree but for rounding, as weights that were adapted to data on two computers do.

    Args:
        one: Arrays.
        other: Arrays; None agrees with everything.
    """
    if other is None:
        return True
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-5 * np.abs(b).max(initial=0.0)) for a, b in zip(one, other)
    )


def _described(thing, depth=4):
    moves, found = getattr(thing, "free", None), {"class": type(thing).__qualname__}
    for name, value in getattr(thing, "__dict__", {}).items():
        if not name.startswith("_") and name not in _CHANGING:
            found[name] = _plain(value, moves, depth)
    return found


def _plain(value, moves, depth):
    if isinstance(value, Atoms):
        # A structure that is relaxed follows the weights.
        return of_structures([value]) if moves is None else [value.get_chemical_formula(), value.pbc.tolist()]
    if isinstance(value, Sequence) and value and isinstance(value[0], Atoms):
        return [atoms.get_chemical_formula() for atoms in value[:1]]
    if isinstance(value, dict):
        return {str(key): _plain(item, moves, depth) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    if isinstance(value, np.ndarray) and value.size <= 9:
        return value.tolist()
    own = hasattr(value, "__dict__") and not isinstance(value, (type, types.FunctionType, types.MethodType, keras.layers.Layer))
    return _described(value, depth - 1) if own and depth else fingerprint(value)
