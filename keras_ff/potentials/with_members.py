"""The role of potentials that are committees."""

import abc

from keras_ff.potentials.base import energies_and_gradient
from keras_ff.potentials.copies import copied, shared


class WithMembers(abc.ABC):
    """Role of a potential that can be a committee, whose energy is the mean of those of its members. See `keras_ff.Ensemble`.

    Attributes:
        members: Number of members of the committee; None for a single potential.
        learned_noise: Whether the members have `member_variances`.
    """

    members = None
    learned_noise = False

    @abc.abstractmethod
    def member_energies(self, neighborhood):
        """Atomic energies of each member of the committee, `(members, atoms)` in eV."""

    @abc.abstractmethod
    def member_gradients(self, neighborhood):
        """Atomic energies of each member of the committee, and the derivatives of their sums with respect to the vectors.

        Returns:
            Tuple of energies `(members, atoms)` in eV and derivatives `(members, atoms, neighbors, 3)` in eV/Å, 0 at padding.
        """

    def member_variances(self, neighborhood):
        """Variances of the errors that each member with `learned_noise` expects of itself.

        Returns:
            `(members, atoms, 2)`: in eV² of the atomic energy, and in (eV/Å)² of a component of the force on the atom.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def member(self, index):
        """One member of the committee as a potential of its own, without learned variances; its weights are copies."""

    @abc.abstractmethod
    def joined(self, others):
        """The committee of this single potential and others like it; its weights are copies.

        Args:
            others: List of potentials of the same class, with the same arguments.

        Raises:
            ValueError: If something differs that the members would share.
        """


def members_of(potential):
    """Number of members if a potential is a committee, otherwise None."""
    return potential.members if isinstance(potential, WithMembers) else None


def member_energies(potential, neighborhood):
    """Atomic energies of the members of any potential, `(members, atoms)` in eV: a single one has one member."""
    single = members_of(potential) is None
    return potential(neighborhood)[None] if single else potential.member_energies(neighborhood)


def member_gradients(potential, neighborhood):
    """See `WithMembers.member_gradients`; any single potential has one member."""
    if members_of(potential) is None:
        return tuple(values[None] for values in energies_and_gradient(potential, neighborhood))
    return potential.member_gradients(neighborhood)


def member(potential, index):
    """One member of a committee, or a copy of a single potential."""
    return copied(potential) if members_of(potential) is None else potential.member(index)


def joined(potentials):
    """The committee of single potentials, or a copy of what is the same in all models."""
    first, *others = potentials
    return first.joined(others) if isinstance(first, WithMembers) else shared(potentials)
