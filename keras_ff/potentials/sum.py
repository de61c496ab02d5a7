"""Potentials that add up."""

import keras

from keras_ff.layers.base import common_dtype
from keras_ff.potentials.parts import OfParts


@keras.saving.register_keras_serializable("keras_ff")
class Sum(OfParts):
    """Sum of potentials for the same species: a network on top of a repulsion, say.

    Its cutoff is the largest one; each part sees the neighbors within its own. With a committee among them it is a committee,
    whose members share all other parts.

    Args:
        parts: Potentials with the same species in the same order.

    Raises:
        ValueError: If there are no parts, their species differ, or they are committees of different size.
    """

    def __init__(self, parts, **kwargs):
        parts = list(parts)
        if not parts:
            raise ValueError("A sum needs at least one potential. Received none.")
        for part in parts[1:]:
            if part.species != parts[0].species:
                raise ValueError(
                    "The parts of a sum must have the same species in the same order. "
                    f"Received {parts[0].species} ({type(parts[0]).__name__}) and {part.species} ({type(part).__name__})."
                )
        kwargs["dtype"] = common_dtype("A Sum", parts, kwargs.get("dtype"))
        super().__init__(parts[0].species, max(part.cutoff for part in parts), **kwargs)
        self.parts = parts
        counts = sorted({part.members for part in parts if part.members is not None})
        if len(counts) > 1:
            raise ValueError(f"The committees in a sum must have the same number of members. Received {counts}.")
        self.members = counts[0] if counts else None
        self.learned_noise = any(part.learned_noise for part in parts)
        self.wave_cutoff = max(part.wave_cutoff for part in parts)

    def call(self, neighborhood):
        return sum(part(neighborhood.within(part.cutoff)) for part in self.parts)

    def member_energies(self, neighborhood):
        return sum(part.member_energies(neighborhood.within(part.cutoff)) for part in self.parts)

    def member_gradients(self, vectors, surroundings):
        # What is the same for all members broadcasts.
        parts = [part.member_gradients(vectors, lambda x, part=part: surroundings(x).within(part.cutoff)) for part in self.parts]
        return tuple(sum(values) for values in zip(*parts))

    def member_variances(self, neighborhood):
        parts = [part.member_variances(neighborhood.within(part.cutoff)) for part in self.parts]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None

    def long_range(self, *args):
        return sum(part.long_range(*args) for part in self.parts if part.wave_cutoff > 0)

    def with_species(self, twins):
        return Sum([part.with_species(twins) for part in self.parts], dtype=self.dtype_policy)

    def intermediates(self, neighbors):
        return max(part.intermediates(neighbors) for part in self.parts)

    def terms(self):
        return [term for part in self.parts for term in part.terms()]
