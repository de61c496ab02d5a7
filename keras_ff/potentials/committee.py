"""Potentials that are asked for the same thing and need not agree."""

import keras
from keras import ops

from keras_ff.layers.base import common_dtype
from keras_ff.potentials.parts import OfParts


@keras.saving.register_keras_serializable("keras_ff")
class Committee(OfParts):
    """Committee of any potentials for the same species, which share nothing: descriptors, cutoffs and forms may differ.

        ensemble = Ensemble(Committee([NeuralIL(["Si"], cutoff=4.5), NeuralIL(["Si"], cutoff=5.5), SplineNetwork(["Si"])]))

    Its energy is the mean. Each member costs what it costs alone; committees whose members share their descriptors are much
    cheaper, see `members` of `NeuralIL`.

    Args:
        parts: Two or more potentials with the same species in the same order. What all members share, a repulsion say, stands
            beside the committee: `Sum([ZBL(...), Committee(...)])`.

    Raises:
        ValueError: If there are fewer than two, their species differ, or one is a committee, a sum, or of long range.
    """

    def __init__(self, parts, **kwargs):
        parts = list(parts)
        if len(parts) < 2:
            raise ValueError(f"A committee needs two or more potentials. Received {len(parts)}.")
        for part in parts:
            if part.species != parts[0].species:
                raise ValueError(
                    "The members of a committee must have the same species in the same order. "
                    f"Received {parts[0].species} ({type(parts[0]).__name__}) and {part.species} ({type(part).__name__})."
                )
            if part.members is not None or part.terms() != [part] or part.wave_cutoff > 0:
                raise ValueError(
                    "The members of a committee are single potentials, not of long range. "
                    f"Received a {type(part).__name__}. What they share stands beside the committee: Sum([shared, Committee(...)])."
                )
        kwargs["dtype"] = common_dtype("A Committee", parts, kwargs.get("dtype"))
        super().__init__(parts[0].species, max(part.cutoff for part in parts), **kwargs)
        self.parts, self.members = parts, len(parts)

    def call(self, neighborhood):
        return ops.mean(self.member_energies(neighborhood), axis=0)

    def member_energies(self, neighborhood):
        return ops.stack([part(neighborhood.within(part.cutoff)) for part in self.parts])

    def member_gradients(self, vectors, surroundings):
        parts = [
            part.energies_and_gradient(vectors, lambda x, part=part: surroundings(x).within(part.cutoff)) for part in self.parts
        ]
        return tuple(ops.stack(values) for values in zip(*parts))

    def intermediates(self, neighbors):
        return sum(part.intermediates(neighbors) for part in self.parts)

    def terms(self):
        return list(self.parts)
