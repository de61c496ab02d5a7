"""The one contract that all potentials share."""

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.base import NeighborhoodLayer


class Potential(NeighborhoodLayer):
    """Maps a `Neighborhood` to atomic energies in eV, `(atoms,)`.

    A potential is strictly local: the energy of an atom depends on the vectors to
    its neighbors within `cutoff` and on the species, and on nothing else. Forces,
    stress and all other derivatives follow by automatic differentiation, so a new
    potential is a constructor and a `call`. It creates its weights in the constructor.
    The exception is a potential with a `wave_cutoff`, which has a part of long range too.

    Attributes:
        members: Number of members of a committee, whose mean `call` returns; None for a single potential.
        learned_noise: Whether its members have `member_variances`.
        wave_cutoff: Highest wave number in 1/Å that `long_range` sums over; 0 for a local potential.

    Args:
        species: Chemical symbols. Their order defines the integers in the batch.
        cutoff: Radius in Å beyond which atoms do not interact.

    Raises:
        ValueError: If a species appears twice or none is given, or the cutoff is not positive.
    """

    members = None
    learned_noise = False
    wave_cutoff = 0.0

    def __init__(self, species, cutoff, **kwargs):
        super().__init__(**kwargs)
        if isinstance(species, str):
            species = [species]
        self.species = [str(symbol) for symbol in species]
        if not self.species or len(set(self.species)) < len(self.species):
            raise ValueError(f"A potential needs a list of different chemical symbols. Received species={list(species)}.")
        if not (np.isfinite(cutoff) and cutoff > 0):
            raise ValueError(f"The cutoff must be a positive length in Å. Received cutoff={cutoff}.")
        self.cutoff = float(cutoff)

    def add_parameter(self, name, value, trainable=True):
        """A weight that starts at `value`, a number or an array, without loss of precision."""
        value = np.asarray(value, dtype="float64")

        def initial(shape, dtype):
            return keras.ops.convert_to_tensor(value, dtype)

        return self.add_weight(name=name, shape=value.shape, initializer=initial, trainable=trainable)

    def call(self, neighborhood):
        raise NotImplementedError

    def energies_and_gradient(self, vectors, surroundings):
        """Atomic energies `(atoms,)` in eV, 0 at padding, and the derivatives of their sum by the vectors, in eV/Å.

        Args:
            vectors: To the neighbors, `(atoms, neighbors, 3)`, in Å.
            surroundings: Function from such vectors to the `Neighborhood` that `call` takes.
        """

        def total(vectors):
            neighborhood = surroundings(vectors)
            energies = ops.where(neighborhood.is_atom, self(neighborhood), 0.0)
            return ops.sum(energies), energies

        (_, energies), gradient = backend.value_and_grad(total, has_aux=True)(vectors)
        return energies, gradient

    def member_energies(self, neighborhood):
        """Atomic energies of each member, `(members, atoms)` in eV; of a single potential for one member."""
        return self(neighborhood)[None]

    def member_gradients(self, vectors, surroundings):
        """Atomic energies of each member and their derivatives by the vectors to the neighbors.

        Args:
            vectors, surroundings: As of `energies_and_gradient`.

        Returns:
            Tuple of energies `(members, atoms)` in eV, and the gradients of their sums `(members, atoms, neighbors, 3)` in eV/Å;
            of a single potential for one member.
        """
        return tuple(values[None] for values in self.energies_and_gradient(vectors, surroundings))

    def member_variances(self, neighborhood):
        """Variances of the errors that each member of a committee expects; None if they learn none. See `NeuralIL`."""
        return None

    def long_range(self, positions, species, cell, waves):
        """Energies that `call` leaves out as they are no function of neighbors: sums over the waves of a crystal.

        Called if `wave_cutoff` is positive. Structures without a cell are padding and get 0.

        Args:
            positions: `(structures, atoms, 3)`, in Å.
            species: int `(structures, atoms)`, -1 is padding.
            cell: `(structures, 3, 3)`, rows are lattice vectors, in Å.
            waves: int `(structures, N1, N2, N3)`, how often each wave counts; see `keras_ff.data.waves.lattice_waves`.

        Returns:
            Atomic energies `(structures, atoms)` in eV, 0 for padding.
        """
        raise NotImplementedError

    def intermediates(self, neighbors):
        """How many numbers the largest intermediate result of `call` holds for each atom with so many neighbors.

        A model computes as many atoms together as the cache of a processor takes.
        """
        return neighbors

    # Not a property: Keras walks through properties when it saves, and would never come back from this one.
    def terms(self):
        """The potentials that this one is a sum of."""
        return [self]

    def describe(self, neighborhood):
        """Features of the atoms, `(atoms, features)`, that `adapt` wants to see; None for a potential without `adapt`."""
        return None

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
            twins: Dict from new symbols to elements of the potential. Energies are those with the twins in the place of the new.

        Raises:
            NotImplementedError: If the potential cannot take elements.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no new elements. NeuralIL, SplineNetwork and sums of them do.")

    def get_config(self):
        return {**super().get_config(), "species": self.species, "cutoff": self.cutoff}
