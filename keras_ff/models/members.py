"""Conversion of members of ensembles to single models, and of single models to ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_ff.models.ensemble import Ensemble
from keras_ff.models.force_field import ForceField
from keras_ff.potentials.copies import copy_weights, require_equal, shared
from keras_ff.potentials.with_members import joined as joined_potential
from keras_ff.potentials.with_members import members_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def member(ensemble: Ensemble, index: int) -> ForceField:
    """Member of an `Ensemble` as a `ForceField` of its own, with copies of the weights and without learned variances.

    Args:
        ensemble: The `Ensemble`.
        index: Index of the member, from 0.

    Raises:
        ValueError: If there is no such member.

    Example:
        >>> import keras_ff as kff
        >>> ensemble = kff.Ensemble(kff.potentials.NeuralIL(["Si"], n_max=2, members=3))
        >>> type(kff.models.member(ensemble, 0)).__name__
        'ForceField'
    """
    if not 0 <= index < ensemble.members:
        raise ValueError(f"The members are 0 to {ensemble.members - 1}. Received index={index}.")
    return _assembled(ForceField, ensemble.potential.member(index), [ensemble])


def joined(models: Sequence[ForceField], **options) -> Ensemble:
    """Ensemble of models that were trained one by one; its weights are copies.

    The models differ in the weights of their networks. Descriptors with all their weights, the statistics that `adapt` took from
    the data, and all other terms of the potential are shared by the members, and must be the same.

        model = kff.ForceField(kff.potentials.NeuralIL(["Si"], seed=0))
        ...
        ensemble = kff.models.joined([model, other_model])

    Args:
        models: List of `ForceField` with potentials of the same classes and sizes.
        options: Further arguments of `Ensemble`.

    Raises:
        ValueError: If there are fewer than two models, they are built differently, or weights differ that members share.
    """
    models = list(models)
    counts = [members_of(model.potential) for model in models]
    if len(models) < 2 or any(count is not None for count in counts):
        raise ValueError(f"Two or more single models are joined. Received {len(models)} models with members={counts}.")
    for index, model in enumerate(models[1:], 1):
        shapes = [[tuple(weight.shape) for weight in one.weights] for one in (models[0], model)]
        if shapes[0] != shapes[1] or model.species != models[0].species or model.cutoff != models[0].cutoff:
            raise ValueError(
                f"The members of an ensemble have the same shape. Model {index} differs from model 0: species {model.species} and "
                f"{models[0].species}, cutoff {model.cutoff} and {models[0].cutoff} Å, {model.count_params()} and "
                f"{models[0].count_params()} numbers in the weights. keras_ff.potentials.Committee takes potentials that differ."
            )
    return _assembled(Ensemble, joined_potential([model.potential for model in models]), models, **options)


def _assembled(kind, potential, models, **options):
    """A model of a potential with reference energies and all other attributes of models in which these must be the same."""
    known = [model.extrapolation for model in models]
    options = {"name": models[0].name, "dtype": models[0].dtype_policy, **options}
    model = kind(potential, extrapolation=None if known[0] is None else shared(known), **options)
    references = [model.reference_energies for model in models]
    require_equal(references)
    copy_weights([model.reference_energies], references[:1])
    model.references = models[0].references
    return model
