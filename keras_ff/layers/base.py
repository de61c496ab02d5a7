"""Base classes of layers: those that are called with a `Neighborhood`, and descriptors among them."""

from __future__ import annotations

import abc
import inspect
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive, whole
from keras_ff.forks import check_process
from keras_ff.geometry import Neighborhood

if TYPE_CHECKING:
    from collections.abc import Sequence


class Layer(keras.layers.Layer):
    """Base of all layers of this library: a Keras layer that computes in the dtype of its policy on every backend."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        backend.prepare(self.dtype_policy)


def common_dtype(owner: str, layers: Sequence[keras.layers.Layer], dtype=None) -> keras.DTypePolicy:
    """Dtype policy of an object that is made of layers: the one that it is given, or that of the layers.

    Args:
        owner: Name of the object for the text of the error, such as "A Sum".
        layers: Layers whose dtype policies must be the same.
        dtype: Dtype or policy that the owner was given, or None.

    Returns:
        The `keras.DTypePolicy`.

    Raises:
        ValueError: If two of the layers, or a layer and `dtype`, contradict each other.

    Example:
        >>> import keras
        >>> from keras_ff.layers.base import common_dtype
        >>> common_dtype("A Sum", [keras.layers.Dense(1, dtype="float64")]).name
        'float64'
    """
    policy = layers[0].dtype_policy if dtype is None else keras.dtype_policies.get(dtype)
    for layer in layers:
        if layer.dtype_policy.name != policy.name:
            raise ValueError(
                f"{owner} computes in one dtype. Received {policy.name} and {layer.dtype_policy.name}, of {type(layer).__name__}. "
                "Give the same dtype to both; keras_ff.astype(model, dtype) converts a model that is made."
            )
    return policy


class NeighborhoodLayer(Layer):
    """Base of layers that are called with a `Neighborhood`, and that make their weights in the constructor.

    Raises:
        TypeError: If `call` takes no argument.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        names = list(inspect.signature(self.call).parameters)
        if not names:
            raise TypeError(f"{type(self).__name__}.call takes a Neighborhood as its first argument. It takes none.")
        self._input_name = names[0]
        self.built = True

    def __call__(self, neighborhood: Neighborhood):
        """Call the layer with a `Neighborhood`."""
        check_process()
        # Keras takes only tensors by position.
        return super().__call__(**{self._input_name: neighborhood})


class Descriptor(NeighborhoodLayer, abc.ABC):
    """Base of descriptors: layers from a `Neighborhood` to features of its atoms, `(atoms, features)`, that networks read.

    A subclass has to write `call`, and `get_config` if its constructor has more arguments. Features must not change under
    rotation, and a neighbor that reaches the cutoff must have no effect on them; `keras_ff.testing.check_layer` tests both.
    The other methods have defaults that are right for every descriptor, apart from `with_twins`, which fine-tuning on new
    elements needs: by default it raises a NotImplementedError.

    Args:
        cutoff: Radius in Å beyond which neighbors have no effect.
        n_species: Number of elements.

    Raises:
        ValueError: If the cutoff is not positive, or there is no element.

    Example:
        >>> import keras_ff as kff
        >>> from keras import ops
        >>> class Shells(kff.layers.Descriptor):
        ...     def call(self, neighborhood: Neighborhood):
        ...         weights = kff.layers.cosine_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask
        ...         return ops.stack([ops.sum(weights**power, axis=1) for power in (1, 2, 4)], axis=-1)
        >>> potential = kff.potentials.NeuralIL(["Si"], descriptor=Shells(cutoff=5.0))
        >>> potential.descriptor.n_features
        3
    """

    def __init__(self, cutoff: float, n_species: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.cutoff, self.n_species = positive("cutoff", cutoff, "Å"), whole("n_species", n_species, 1)
        self._n_features = None

    @abc.abstractmethod
    def call(self, neighborhood: Neighborhood):
        """Compute the features of the atoms, `(atoms, features)`, from a `Neighborhood`."""

    @property
    def n_features(self) -> int:
        """Number of features of an atom."""
        if self._n_features is None:
            # From the features of an atom with one neighbor.
            vectors = ops.convert_to_tensor([[[0.5 * self.cutoff, 0.0, 0.0]]], dtype=self.compute_dtype)
            species = ops.zeros((1, 1), dtype="int32")
            self._n_features = int(self(Neighborhood(vectors, species >= 0, species[0], species, self.cutoff)).shape[-1])
        return self._n_features

    @property
    def groups(self) -> list[slice]:
        """Slices of the features that have the same unit and similar sizes; by default a single one."""
        return [slice(0, self.n_features)]

    def labels(self, species: Sequence[str]) -> list[str]:
        """Return names of the features for figures and tables.

        Args:
            species: Chemical symbols of the elements.
        """
        return [f"{type(self).__name__} {index}" for index in range(self.n_features)]

    def intermediates(self, neighbors: int) -> int:
        """Return how many numbers the largest intermediate result of `call` holds for an atom; see `Potential.intermediates`.

        Args:
            neighbors: Number of neighbors of the atom, padding included.
        """
        return neighbors

    def with_pullback(self, neighborhood: Neighborhood) -> tuple:
        """Compute the features, and return the function from derivatives with respect to them to those with respect to the vectors.

        Args:
            neighborhood: The `Neighborhood`.

        Returns:
            Tuple of the features `(atoms, features)`, and a function from `(members, atoms, features)`, derivatives of the
            energies of several members of a committee, to `(members, atoms, neighbors, 3)`.
        """
        features, pullback = backend.vjp(lambda vectors: self(neighborhood.with_vectors(vectors)), neighborhood.arrays[0])
        return features, backend.vmap(lambda slopes: pullback(slopes)[0])

    def with_twins(self, twins: Sequence[int]) -> tuple[Descriptor, np.ndarray, np.ndarray]:
        """Make the descriptor of more elements, each new one of which takes the role of a known one, its twin.

        Args:
            twins: Index of the known element that stands in for each element: 0, 1, ... for the known ones, then one entry for
                each new element.

        Returns:
            Tuple of the new descriptor; a matrix `(new features, features)` that computes the new features of a structure from
            the features it has with each new element replaced by its twin; and the indices of the old features among the new
            ones, `(features,)`.

        Raises:
            NotImplementedError: If the descriptor cannot be extended.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no new elements. Write its method `with_twins`, or train anew.")

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "cutoff": self.cutoff, "n_species": self.n_species}
