"""The base class of all potentials, and their derivatives with respect to the vectors to the neighbors."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive
from keras_ff.layers.base import NeighborhoodLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


class Potential(NeighborhoodLayer, abc.ABC):
    """Base of potentials: layers from a `Neighborhood` to atomic energies in eV, `(atoms,)`.

    A potential is strictly local: the energy of an atom depends on the vectors to
    its neighbors within `cutoff` and on the species, and on nothing else. Forces,
    stress and all other derivatives follow by automatic differentiation, so a new
    potential is a constructor and a `call`. It creates its weights in the constructor.

    Potentials that can do more inherit from further classes too: `Learned` (statistics of the data before training),
    `WithMembers` (committees), `WithSplines` (knots that the data may exceed), and `LongRange` (energies beyond any cutoff).

    Args:
        species: Chemical symbols. Their order defines the integers in the batch.
        cutoff: Radius in Å beyond which atoms do not interact.
        kwargs: Arguments of Keras layers, such as `dtype`.

    Raises:
        ValueError: If a species appears twice or none is given, or the cutoff is not positive.

    Example:
        >>> import keras_ff as kff
        >>> from keras import ops
        >>> class Spring(kff.potentials.Potential):
        ...     def __init__(self, species, cutoff, stiffness=1.0, **kwargs):
        ...         super().__init__(species, cutoff, **kwargs)
        ...         self.stiffness = self.add_parameter("stiffness", stiffness)
        ...
        ...     def call(self, neighborhood: Neighborhood):
        ...         stretch = (self.cutoff - neighborhood.distances) * neighborhood.mask
        ...         return 0.25 * self.stiffness * ops.sum(stretch**3, axis=-1)
        >>> kff.ForceField(Spring(["Ar"], cutoff=4.0)).count_params()  # the stiffness, and the reference energy of Ar
        2
    """

    def __init__(self, species: str | Sequence[str], cutoff: float, **kwargs):
        super().__init__(**kwargs)
        if isinstance(species, str):
            species = [species]
        self.species = [str(symbol) for symbol in species]
        if not self.species or len(set(self.species)) < len(self.species):
            raise ValueError(f"A potential needs a list of different chemical symbols. Received species={list(species)}.")
        self.cutoff = positive("cutoff", cutoff, "Å")

    @abc.abstractmethod
    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies.

        Args:
            neighborhood: The `Neighborhood` of the atoms, with the cutoff of the potential.

        Returns:
            Tensor `(atoms,)` in eV; the values of padding atoms do not count.
        """

    def add_parameter(self, name: str, value, trainable: bool = True):
        """Add a weight that starts at a value, without loss of precision.

        Args:
            name: Name of the weight.
            value: Number or array.
            trainable: Whether the weight is trained.

        Returns:
            The weight, in the shape of `value`.
        """
        value = np.asarray(value, dtype="float64")

        def initial(shape, dtype):
            return keras.ops.convert_to_tensor(value, dtype)

        return self.add_weight(name=name, shape=value.shape, initializer=initial, trainable=trainable)

    def intermediates(self, neighbors: int) -> int:
        """Return how many numbers the largest intermediate result of `call` holds for an atom.

        From this number a model decides how many atoms it computes together, so that they fit the cache of the processor.

        Args:
            neighbors: Number of neighbors of the atom, padding included.
        """
        return neighbors

    # Not a property: Keras walks through properties when it saves, and would never come back from this one.
    def terms(self) -> list[Potential]:
        """Return the potentials that this one is made of; a potential that is not made of others returns itself, in a list."""
        return [self]

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "species": self.species, "cutoff": self.cutoff}


def energies_and_gradient(potential: Potential, neighborhood: Neighborhood) -> tuple:
    """Atomic energies of a potential and the derivatives of their sum with respect to the vectors to the neighbors.

    Args:
        potential: The `Potential`.
        neighborhood: The `Neighborhood`, with the cutoff of the potential.

    Returns:
        Tuple of energies `(atoms,)` in eV, 0 at padding, and derivatives `(atoms, neighbors, 3)` in eV/Å, 0 at padding.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> from keras_ff.potentials.base import energies_and_gradient
        >>> dimer = np.array([[[2.3, 0.0, 0.0]]], "float32"), np.array([[True]]), np.array([0]), np.array([[0]])
        >>> silicon = kff.potentials.StillingerWeber.silicon()
        >>> energies, _ = energies_and_gradient(silicon, kff.geometry.Neighborhood(*dimer, cutoff=silicon.cutoff))
        >>> round(float(energies[0]), 3)  # half of the bond
        -1.077
    """

    def total(vectors):
        energies = ops.where(neighborhood.is_atom, potential(neighborhood.with_vectors(vectors)), 0.0)
        return ops.sum(energies), energies

    (_, energies), gradient = backend.value_and_grad(total, has_aux=True)(neighborhood.arrays[0])
    return energies, gradient


def terms_with(potential: Potential, role: type) -> list[Potential]:
    """Terms of a potential that have a role.

    Args:
        potential: The `Potential`.
        role: Class of the role, such as `Learned` or `LongRange`.

    Returns:
        List of those of `potential.terms()` that are instances of the class.
    """
    return [term for term in potential.terms() if isinstance(term, role)]
