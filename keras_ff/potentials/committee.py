"""A committee of potentials that share nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from keras_ff.potentials.base import energies_and_gradient
from keras_ff.potentials.copies import copied
from keras_ff.potentials.long_range import LongRange
from keras_ff.potentials.sum import OfParts
from keras_ff.potentials.with_members import members_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.base import Potential


@keras.saving.register_keras_serializable("keras_ff")
class Committee(OfParts):
    """Committee of any potentials for the same species, which share nothing: descriptors, cutoffs and forms may differ.

    Its energy is the mean of those of the members, and `Ensemble` computes how much they disagree. Each member costs what it costs
    alone; committees whose members share their descriptors are much cheaper, see `members` of `NeuralIL`.

    Args:
        parts: Two or more potentials with the same species in the same order. A term that all members share, such as a repulsion,
            is added to the committee: `Sum([ZBL(...), Committee(...)])`.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If there are fewer than two, their species differ, or one is a committee, a sum, or of long range.

    Example:
        >>> import keras_ff as kff
        >>> potentials = [kff.potentials.NeuralIL(["Si"], cutoff=cutoff, n_max=2) for cutoff in (4.5, 5.5)]
        >>> kff.Ensemble(kff.potentials.Committee(potentials)).members
        2
    """

    def __init__(self, parts: Sequence[Potential], **kwargs):
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
                    f"Received a {type(part).__name__}. Add a term that they share to the committee: Sum([shared, Committee(...)])."
                )
        super().__init__(parts, **kwargs)
        self.members = len(parts)

    def call(self, neighborhood: Neighborhood):
        """Compute the mean of the atomic energies of the members in eV, `(atoms,)`, from a `Neighborhood`."""
        return ops.mean(self.member_energies(neighborhood), axis=0)

    def member_energies(self, neighborhood: Neighborhood):
        """Compute the atomic energies of each member in eV, `(members, atoms)`, from a `Neighborhood`."""
        return ops.stack([part(near) for part, near in self.within(neighborhood)])

    def member_gradients(self, neighborhood: Neighborhood):
        """Compute energies and derivatives of each member; see `WithMembers.member_gradients`."""
        parts = [energies_and_gradient(part, near) for part, near in self.within(neighborhood)]
        return tuple(ops.stack(values) for values in zip(*parts))

    def member(self, index):
        """Return a copy of one member, counted from 0, as a potential of its own."""
        return copied(self.parts[index])

    def joined(self, others):
        """Raise a ValueError: the members of a committee are single potentials."""
        raise ValueError("A committee is not a member of another. Make one of all potentials: Committee([...]).")

    def intermediates(self, neighbors: int) -> int:
        """Return the size of intermediate results, see `Potential.intermediates`: the sum of those of the members."""
        return sum(part.intermediates(neighbors) for part in self.parts)
