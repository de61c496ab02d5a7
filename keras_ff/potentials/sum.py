"""Potentials that are made of others, and sums of them."""

import keras

from keras_ff.layers.base import common_dtype
from keras_ff.potentials.base import Potential
from keras_ff.potentials.with_members import WithMembers, joined, member, member_energies, member_gradients, members_of


class OfParts(WithMembers, Potential):
    """A potential with a list `parts` of others for the same species, which is all that its configuration needs."""

    def __init__(self, parts, **kwargs):
        kwargs["dtype"] = common_dtype(f"A {type(self).__name__}", parts, kwargs.get("dtype"))
        super().__init__(parts[0].species, max(part.cutoff for part in parts), **kwargs)
        self.parts = parts

    def within(self, neighborhood):
        """Each part with the neighbors within its own cutoff: pairs of a potential and a `Neighborhood`."""
        return [(part, neighborhood.within(part.cutoff)) for part in self.parts]

    def terms(self):
        return [term for part in self.parts for term in part.terms()]

    def get_config(self):
        config = keras.layers.Layer.get_config(self)
        return {**config, "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config):
        parts = [keras.saving.deserialize_keras_object(part) for part in config.pop("parts")]
        return cls(parts, **config)


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
        super().__init__(parts, **kwargs)
        counts = sorted({members_of(part) for part in parts} - {None})
        if len(counts) > 1:
            raise ValueError(f"The committees in a sum must have the same number of members. Received {counts}.")
        self.members = counts[0] if counts else None
        self._noisy = [place for place, part in enumerate(parts) if isinstance(part, WithMembers) and part.learned_noise]
        self.learned_noise = bool(self._noisy)

    def call(self, neighborhood):
        return sum(part(near) for part, near in self.within(neighborhood))

    # What is the same for all members broadcasts.
    def member_energies(self, neighborhood):
        return sum(member_energies(part, near) for part, near in self.within(neighborhood))

    def member_gradients(self, neighborhood):
        parts = [member_gradients(part, near) for part, near in self.within(neighborhood)]
        return tuple(sum(values) for values in zip(*parts))

    def member_variances(self, neighborhood):
        parts = self.within(neighborhood)
        return sum(parts[place][0].member_variances(parts[place][1]) for place in self._noisy)

    def member(self, index):
        return self.rebuilt([member(part, index) for part in self.parts])

    def joined(self, others):
        return self.rebuilt([joined(parts) for parts in zip(self.parts, *(other.parts for other in others), strict=True)])

    def rebuilt(self, parts):
        """The sum of other potentials, with the same name and dtype."""
        return Sum(parts, **keras.layers.Layer.get_config(self))

    def intermediates(self, neighbors):
        return max(part.intermediates(neighbors) for part in self.parts)
