"""The one contract that all potentials share."""

import abc

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.base import NeighborhoodLayer


class Potential(NeighborhoodLayer, abc.ABC):
    """A layer from a `Neighborhood` to atomic energies in eV, `(atoms,)`.

    A potential is strictly local: the energy of an atom depends on the vectors to
    its neighbors within `cutoff` and on the species, and on nothing else. Forces,
    stress and all other derivatives follow by automatic differentiation, so a new
    potential is a constructor and a `call`. It creates its weights in the constructor.

    What only some potentials can do is said by further classes that they inherit from: `Learned` (statistics of the data before
    training), `WithMembers` (committees), `Splines` (knots that the data may exceed), and `LongRange` (energies beyond any cutoff).

    Args:
        species: Chemical symbols. Their order defines the integers in the batch.
        cutoff: Radius in Å beyond which atoms do not interact.

    Raises:
        ValueError: If a species appears twice or none is given, or the cutoff is not positive.
    """

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

    @abc.abstractmethod
    def call(self, neighborhood):
        """Atomic energies in eV, `(atoms,)`; those of padding atoms do not count."""

    def add_parameter(self, name, value, trainable=True):
        """A weight that starts at `value`, a number or an array, without loss of precision."""
        value = np.asarray(value, dtype="float64")

        def initial(shape, dtype):
            return keras.ops.convert_to_tensor(value, dtype)

        return self.add_weight(name=name, shape=value.shape, initializer=initial, trainable=trainable)

    def intermediates(self, neighbors):
        """How many numbers the largest intermediate result of `call` holds for each atom with so many neighbors.

        A model computes as many atoms together as the cache of a processor takes.
        """
        return neighbors

    # Not a property: Keras walks through properties when it saves, and would never come back from this one.
    def terms(self):
        """The potentials that this one is made of; of a potential that is not made of others, the list of itself."""
        return [self]

    def get_config(self):
        return {**super().get_config(), "species": self.species, "cutoff": self.cutoff}


def energies_and_gradient(potential, neighborhood):
    """Atomic energies of a potential and the derivatives of their sum with respect to the neighbor vectors.

    Args:
        potential: The `Potential`.
        neighborhood: The `Neighborhood`, with the cutoff of the potential.

    Returns:
        Tuple of energies `(atoms,)` in eV, 0 at padding, and derivatives `(atoms, neighbors, 3)` in eV/Å, 0 at padding.
    """

    def total(vectors):
        energies = ops.where(neighborhood.is_atom, potential(neighborhood.with_vectors(vectors)), 0.0)
        return ops.sum(energies), energies

    (_, energies), gradient = backend.value_and_grad(total, has_aux=True)(neighborhood.arrays[0])
    return energies, gradient


def terms_with(potential, role):
    """The terms of a potential that have a role, such as `Learned` or `LongRange`."""
    return [term for term in potential.terms() if isinstance(term, role)]
