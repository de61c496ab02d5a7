"""The role of potentials that are committees."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from keras_ff.potentials.base import energies_and_gradient
from keras_ff.potentials.copies import copied, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.base import Potential


class WithMembers(abc.ABC):
    """Role of a potential that can be a committee, whose energy is the mean of the energies of its members.

    `keras_ff.Ensemble` computes the disagreement of the members. `NeuralIL`, `SplineNetwork`, `Committee` and `Sum` have this role.

    Attributes:
        members: Number of members of the committee; None for a single potential.
        learned_noise: Whether the members have `member_variances`.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.NeuralIL(["Si"], n_max=2, members=3)
        >>> isinstance(potential, kff.potentials.WithMembers), potential.members, potential.member(0).members
        (True, 3, None)
    """

    members = None
    learned_noise = False

    @abc.abstractmethod
    def member_energies(self, neighborhood: Neighborhood):
        """Compute the atomic energies of each member of the committee in eV, `(members, atoms)`, from a `Neighborhood`."""

    @abc.abstractmethod
    def member_gradients(self, neighborhood: Neighborhood):
        """Compute the atomic energies of each member, and the derivatives of their sums with respect to the vectors.

        Args:
            neighborhood: The `Neighborhood` of the atoms.

        Returns:
            Tuple of energies `(members, atoms)` in eV and derivatives `(members, atoms, neighbors, 3)` in eV/Å, 0 at padding.
        """

    def member_variances(self, neighborhood: Neighborhood):
        """Compute the variances of the errors that each member expects of itself; only with `learned_noise`.

        Args:
            neighborhood: The `Neighborhood` of the atoms.

        Returns:
            Tensor `(members, atoms, 2)`: the variance of the atomic energy in eV², and that of a component of the force on the
            atom in (eV/Å)².
        """
        raise NotImplementedError

    @abc.abstractmethod
    def member(self, index: int) -> Potential:
        """Return one member of the committee as a potential of its own, without learned variances; its weights are copies.

        Args:
            index: Index of the member, from 0.
        """

    @abc.abstractmethod
    def joined(self, others: Sequence[Potential]) -> Potential:
        """Return the committee of this single potential and others like it; its weights are copies.

        Args:
            others: List of potentials of the same class, with the same arguments.

        Raises:
            ValueError: If weights differ that the members would share.
        """


def members_of(potential: Potential) -> int | None:
    """Number of members of a potential that is a committee; None for any other potential."""
    return potential.members if isinstance(potential, WithMembers) else None


def member_energies(potential: Potential, neighborhood: Neighborhood):
    """Atomic energies of the members of any potential in eV, `(members, atoms)`; a single potential counts as one member."""
    single = members_of(potential) is None
    return potential(neighborhood)[None] if single else potential.member_energies(neighborhood)


def member_gradients(potential: Potential, neighborhood: Neighborhood) -> tuple:
    """Atomic energies of the members of any potential, and derivatives; see `WithMembers.member_gradients`.

    A single potential counts as one member.
    """
    if members_of(potential) is None:
        return tuple(values[None] for values in energies_and_gradient(potential, neighborhood))
    return potential.member_gradients(neighborhood)


def member(potential: Potential, index: int) -> Potential:
    """Member of a committee as a potential of its own, or a copy if the potential is a single one."""
    return copied(potential) if members_of(potential) is None else potential.member(index)


def joined(potentials: Sequence[Potential]) -> Potential:
    """Committee of single potentials, or a copy of a potential that cannot be a committee and is the same in all models."""
    first, *others = potentials
    return first.joined(others) if isinstance(first, WithMembers) else shared(potentials)
