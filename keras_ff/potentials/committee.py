"""Potentials that are asked for the same thing and need not agree."""

import keras
from keras import ops

from keras_ff.potentials.base import energies_and_gradient
from keras_ff.potentials.copies import copied
from keras_ff.potentials.long_range import LongRange
from keras_ff.potentials.sum import OfParts
from keras_ff.potentials.with_members import members_of


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
            if isinstance(part, (OfParts, LongRange)) or members_of(part) is not None:
                raise ValueError(
                    "The members of a committee are single potentials, not of long range. "
                    f"Received a {type(part).__name__}. What they share stands beside the committee: Sum([shared, Committee(...)])."
                )
        super().__init__(parts, **kwargs)
        self.members = len(parts)

    def call(self, neighborhood):
        return ops.mean(self.member_energies(neighborhood), axis=0)

    def member_energies(self, neighborhood):
        return ops.stack([part(near) for part, near in self.within(neighborhood)])

    def member_gradients(self, neighborhood):
        parts = [energies_and_gradient(part, near) for part, near in self.within(neighborhood)]
        return tuple(ops.stack(values) for values in zip(*parts))

    def member(self, index):
        return copied(self.parts[index])

    def joined(self, others):
        raise ValueError("A committee is not a member of another. Make one of all potentials: Committee([...]).")

    def intermediates(self, neighbors):
        return sum(part.intermediates(neighbors) for part in self.parts)
