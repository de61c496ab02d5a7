"""The role of potentials that take statistics from their training set before they are trained."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_ff.geometry import Neighborhood


class Learned(abc.ABC):
    """Role of a potential with features of atoms whose statistics are taken from data.

    `ForceField.adapt` calls `describe` for atoms of the training set, and `adapt` with the results. A subclass inherits from
    `Potential` too and writes both methods, as `NeuralIL` and `ElementNetworks` do.

    Example:
        >>> import keras_ff as kff
        >>> isinstance(kff.potentials.NeuralIL(["Si"], n_max=2), kff.potentials.Learned)
        True
    """

    @abc.abstractmethod
    def describe(self, neighborhood: Neighborhood):
        """Compute the features of the atoms, `(atoms, features)`, from a `Neighborhood`."""

    @abc.abstractmethod
    def adapt(self, features, species, force_scales):
        """Set weights that follow from the training set, such as means and scales.

        Args:
            features: Features of atoms of the training set as `describe` returns them, NumPy `(samples, features)`.
            species: int `(samples,)`, species of these atoms.
            force_scales: Root mean square of the force components for each species in eV/Å, `(species,)`; forces of terms that do
                not adapt are subtracted before.
        """

    def shift(self, energy: float) -> None:
        """Add a constant to the energy of every atom, if the potential has one: what bonds contribute where free atoms have 0.

        Args:
            energy: Energy in eV.
        """
        del energy

    def with_species(self, twins: dict[str, str]) -> Learned:
        """Make a potential that knows more elements, for fine-tuning; for the elements that it knows it stays the same.

        Args:
            twins: Dict from each new chemical symbol to an element of the potential, its twin. A structure with new elements has
                the energy of the structure with each new element replaced by its twin.

        Returns:
            Potential of the same class; its weights are copies.

        Raises:
            NotImplementedError: If the potential cannot take new elements.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no new elements. NeuralIL, SplineNetwork and sums of them do.")
