"""The parts of a model that `keras-ff train --freeze` names, and the parameters that `--train-parameters` does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from keras_ff.models.cards import kind
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.classical import ClassicalPotential
from keras_ff_tools.arguments import meant
from keras_ff_tools.run.potentials import POTENTIALS, check_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import keras_ff as kff

# Parts of networks, by the names of the attributes that hold them.
WITHIN = {
    "descriptor": ("descriptor", "filters"),
    "network": ("network", "networks", "noise"),
    "embedding": ("elements",),
    "scale": ("slope", "intercept"),
}
CORES = ("ZBL", "RepulsiveMorse")


def parts_of(model: kff.ForceField) -> dict[str, list]:
    """Weights of a model by the names of its parts.

    The terms of a sum have the names that `--potential` gives them, those of short-range repulsion together are the core, and a
    network is divided further. Parts without weights are left out.
    """
    names = {kind.name: name for name, kind in POTENTIALS.items()}
    terms, parts = model.potential.terms(), {}
    for term in terms:
        kind = type(term).__name__
        if kind in CORES and len(terms) > 1:
            parts.setdefault("core", []).extend(term.weights)
            continue
        parts.setdefault(names.get(kind, kind.lower()), []).extend(term.weights)
        for name, attributes in WITHIN.items():
            for attribute in attributes:
                parts.setdefault(name, []).extend(_weights(getattr(term, attribute, ())))
    return {name: weights for name, weights in parts.items() if weights}


def trained_and_frozen(model: kff.ForceField) -> str:
    """Which parameters of a model are trained, and which stay as they are, such as "trained: A, B, lam (3 numbers); frozen: sigma".

    Classical terms have parameters with names, networks parts; what follows from the training set, such as means, is neither.

    Args:
        model: The model.
    """
    terms, found = model.potential.terms(), {True: [], False: []}
    names = {kind.name: name for name, kind in POTENTIALS.items()}
    for term in terms:
        before = f"{names.get(type(term).__name__, type(term).__name__)} " if len(terms) > 1 else ""
        parts = {name: _weights([getattr(term, one, ()) for one in attributes]) for name, attributes in WITHIN.items()}
        if not any(parts.values()):
            parts = {}
            for weight in term.weights:
                parts.setdefault(weight.name, []).append(weight)
        for name, weights in parts.items():
            if weights:
                found[any(weight.trainable for weight in weights)].append(before + name)
    if model.reference_energies.trainable:
        found[True].append("reference energies")
    count = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    trained = f"{', '.join(found[True]) or 'none'} ({count} numbers)"
    return f"trained: {trained}; frozen: {', '.join(found[False]) or 'none'}"


def freeze(model: kff.ForceField, names: Iterable[str]) -> None:
    """Set the weights of parts of a model to stay as they are.

    Args:
        model: The model, changed in place.
        names: Names of parts, see `parts_of`.

    Raises:
        ValueError: If the model has no such part, or nothing is left to train.
    """
    parts = parts_of(model)
    for name in names:
        if name not in parts:
            raise ValueError(
                f"The parts of this model that can stay as they are are {', '.join(parts)}. Received --freeze {name}."
                f"{meant(name, parts)}"
            )
        for weight in parts[name]:
            weight.trainable = False
    if not model.trainable_weights:
        raise ValueError(f"Nothing is left to train. Received --freeze {','.join(names)}: leave out one of {', '.join(parts)}.")


def train_only(model: kff.ForceField, names: Sequence[str]) -> None:
    """Set which parameters of the classical terms of a model are trained; their others stay as they are.

    Args:
        model: The model, changed in place.
        names: Names of parameters.

    Raises:
        ValueError: If the model has no classical term, or none with such a parameter.
    """
    weights = [weight for term in terms_with(model.potential, ClassicalPotential) for weight in term.weights]
    check_parameters(names, list(dict.fromkeys(weight.name for weight in weights)), kind(model))
    for weight in weights:
        weight.trainable = weight.name in names


def _weights(thing):
    """Weights of a layer, a weight, or a list of layers."""
    if isinstance(thing, (list, tuple)):
        return [weight for one in thing for weight in _weights(one)]
    return thing.weights if hasattr(thing, "weights") else [thing]
