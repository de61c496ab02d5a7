"""Single models in and out of ensembles."""

import numpy as np
from keras import ops

from keras_ff.models.ensemble import Ensemble
from keras_ff.models.force_field import ForceField
from keras_ff.potentials.committee import Committee
from keras_ff.potentials.sum import Sum


def member(ensemble, index):
    """One member of an `Ensemble` as a `ForceField` of its own. Its weights are a copy; variances that it has learned stay behind.

    Args:
        ensemble: The `Ensemble`.
        index: Of the member, from 0.

    Raises:
        ValueError: If there is no such member.
    """
    if not 0 <= index < ensemble.members:
        raise ValueError(f"The members are 0 to {ensemble.members - 1}. Received index={index}.")
    config = _with_one_part(ForceField.get_config(ensemble), index)
    single = ForceField.from_config(_replaced(config, {"members": None, "learned_noise": False}))
    left = [network for term in ensemble.potential.terms() for network in getattr(term, "noise", ())]
    left += [
        part for committee in _committees(ensemble.potential) for part in committee.parts if part is not committee.parts[index]
    ]
    others = {id(weight) for layer in left for weight in layer.weights}
    kept = [weight for weight in ensemble.weights if id(weight) not in others]
    for new, old in zip(single.weights, kept, strict=True):
        value = ops.convert_to_numpy(old)
        new.assign(value if value.shape == tuple(new.shape) else value[index].reshape(new.shape))
    return single


def joined(models, **options):
    """An `Ensemble` of models that were trained one by one.

    The models differ in the weights of their networks. Descriptors with all their weights, what `adapt` found in the data, and
    all other terms of the potential are shared by the members, and must be the same.

    Args:
        models: List of `ForceField` with the same potential.
        options: Of `Ensemble`.

    Raises:
        ValueError: If there are fewer than two models, they are built differently, or something differs that members share.
    """
    models = list(models)
    if len(models) < 2 or any(model.potential.members is not None for model in models):
        counts = [model.potential.members for model in models]
        raise ValueError(f"Two or more single models are joined. Received {len(models)} models with members={counts}.")
    for place, model in enumerate(models[1:], 1):
        shapes = [[tuple(weight.shape) for weight in one.weights] for one in (models[0], model)]
        if shapes[0] != shapes[1] or model.species != models[0].species or model.cutoff != models[0].cutoff:
            raise ValueError(
                f"The members of an ensemble have the same shape. Model {place} differs from model 0: species {model.species} and "
                f"{models[0].species}, cutoff {model.cutoff} and {models[0].cutoff} Å, {model.count_params()} and "
                f"{models[0].count_params()} numbers in the weights. keras_ff.potentials.Committee takes potentials that differ."
            )
    ensemble = Ensemble.from_config({**_replaced(ForceField.get_config(models[0]), {"members": len(models)}), **options})
    for weights in zip(ensemble.weights, *(model.weights for model in models), strict=True):
        new, *old = (ops.convert_to_numpy(weight) for weight in weights)
        if new.shape != old[0].shape:
            weights[0].assign(np.stack([value.reshape(new.shape[1:]) for value in old]))
        elif all(np.array_equal(value, old[0]) for value in old[1:]):
            weights[0].assign(old[0])
        else:
            raise ValueError(
                f"The members of an ensemble share {weights[1].path}, which differs between the models. Adapt them to the same "
                "data, with the same reference energies, and leave descriptors and other terms as they are."
            )
    return ensemble


def _committees(potential):
    if isinstance(potential, Sum):
        return [committee for part in potential.parts for committee in _committees(part)]
    return [potential] if isinstance(potential, Committee) else []


def _with_one_part(config, index):
    """A configuration with one part of each `Committee` in its place."""
    if isinstance(config, dict):
        if config.get("class_name") == Committee.__name__:
            return config["config"]["parts"][index]
        return {key: _with_one_part(value, index) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_with_one_part(item, index) for item in config)
    return config


def _replaced(config, replacement):
    """A configuration with other values for some names, however deep they are."""
    if isinstance(config, dict):
        return {key: replacement[key] if key in replacement else _replaced(value, replacement) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_replaced(item, replacement) for item in config)
    return config
