"""Potentials that are made of others, and sums of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from keras_ff.layers.base import common_dtype
from keras_ff.potentials.base import Potential
from keras_ff.potentials.with_members import WithMembers, joined, member, member_energies, member_gradients, members_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


class OfParts(WithMembers, Potential):
    """Base of potentials that are made of others for the same species.

    Args:
        parts: The potentials.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If the potentials compute in different dtypes.
    """

    def __init__(self, parts: Sequence[Potential], **kwargs):
        kwargs["dtype"] = common_dtype(f"A {type(self).__name__}", parts, kwargs.get("dtype"))
        super().__init__(parts[0].species, max(part.cutoff for part in parts), **kwargs)
        self.parts = parts

    def within(self, neighborhood: Neighborhood):
        """Return each part with the neighbors within its own cutoff: a list of pairs of a `Potential` and a `Neighborhood`."""
        return [(part, neighborhood.within(part.cutoff)) for part in self.parts]

    def terms(self) -> list[Potential]:
        """Return the terms of all parts, a list of potentials that are not made of others."""
        return [term for part in self.parts for term in part.terms()]

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        config = keras.layers.Layer.get_config(self)
        return {**config, "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config: dict):
        """Make the potential from what `get_config` returned."""
        parts = [keras.saving.deserialize_keras_object(part) for part in config.pop("parts")]
        # That of the parts, which old files may contradict.
        config.pop("dtype", None)
        return cls(parts, **config)


@keras.saving.register_keras_serializable("keras_ff")
class Sum(OfParts):
    """Sum of potentials for the same species, such as a network and a repulsion.

    Its cutoff is the largest of them; each potential gets the neighbors within its own cutoff. If one of them is a committee, the
    sum is a committee whose members share all other terms.

    Args:
        parts: Potentials with the same species in the same order.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If there are no parts, their species or dtypes differ, or they are committees of different size.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.Sum([kff.potentials.PairSpline(["Si"], cutoff=6.0), kff.potentials.ZBL(["Si"])])
        >>> potential.cutoff
        6.0
    """

    def __init__(self, parts: Sequence[Potential], **kwargs):
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
        self._noisy = [index for index, part in enumerate(parts) if isinstance(part, WithMembers) and part.learned_noise]
        self.learned_noise = bool(self._noisy)

    def call(self, neighborhood: Neighborhood):
        """Compute the sums of the atomic energies of the parts in eV, `(atoms,)`, from a `Neighborhood`."""
        return sum(part(near) for part, near in self.within(neighborhood))

    # Energies that are the same for all members broadcast.
    def member_energies(self, neighborhood: Neighborhood):
        """Compute the atomic energies of each member in eV, `(members, atoms)`, from a `Neighborhood`."""
        return sum(member_energies(part, near) for part, near in self.within(neighborhood))

    def member_gradients(self, neighborhood: Neighborhood):
        """Compute energies and derivatives of each member; see `WithMembers.member_gradients`."""
        parts = [member_gradients(part, near) for part, near in self.within(neighborhood)]
        return tuple(sum(values) for values in zip(*parts))

    def member_variances(self, neighborhood: Neighborhood):
        """Compute the sums of the variances of the parts that learn them; see `WithMembers.member_variances`."""
        parts = self.within(neighborhood)
        return sum(parts[index][0].member_variances(parts[index][1]) for index in self._noisy)

    def member(self, index: int) -> Sum:
        """Return the sum of one member of each committee, counted from 0, and copies of the other parts."""
        return self.rebuilt([member(part, index) for part in self.parts])

    def joined(self, others: Sequence[Sum]) -> Sum:
        """Return the committee of this sum and others; see `WithMembers.joined`."""
        return self.rebuilt([joined(parts) for parts in zip(self.parts, *(other.parts for other in others), strict=True)])

    def rebuilt(self, parts: Sequence[Potential]) -> Sum:
        """Make the sum of other potentials, with the same name and dtype.

        Args:
            parts: Potentials with the same species in the same order.
        """
        return Sum(parts, **keras.layers.Layer.get_config(self))

    def intermediates(self, neighbors: int) -> int:
        """Return the size of intermediate results, see `Potential.intermediates`: the largest of the parts."""
        return max(part.intermediates(neighbors) for part in self.parts)
