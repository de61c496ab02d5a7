"""The role of potentials that look at their training set before they are trained."""

import abc


class Learned(abc.ABC):
    """Role of a potential with features of atoms whose statistics are taken from data: see `ForceField.adapt`."""

    @abc.abstractmethod
    def describe(self, neighborhood):
        """Features of the atoms, `(atoms, features)`, from a `Neighborhood`."""

    @abc.abstractmethod
    def adapt(self, features, species, force_scales):
        """Set what can be set before training, such as means and scales.

        Args:
            features: What `describe` gave for atoms of the training set, NumPy `(samples, features)`.
            species: int `(samples,)`, of these atoms.
            force_scales: Root mean square in eV/Å of the force components of the atoms of each species that are left to learn,
                `(species,)`.
        """

    def with_species(self, twins):
        """A potential that knows more elements, for fine-tuning, and that is the same for those it knows.

        Args:
            twins: Dict from new symbols to elements of the potential. A structure with new elements has the energy of the
                structure in which their twins stand in their place.

        Raises:
            NotImplementedError: If the potential cannot take elements.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no new elements. NeuralIL, SplineNetwork and sums of them do.")
