"""Layers whose input is a `Neighborhood`."""

import abc
import inspect

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood


class Layer(keras.layers.Layer):
    """A Keras layer that computes in the dtype of its policy on every backend: the base of all layers of this library."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        backend.prepare(self.dtype_policy)


def common_dtype(owner, layers, dtype=None):
    """Dtype policy of something that is made of layers: the one that it is given, or that of the layers.

    Args:
        owner: What is made of them, for the error.
        layers: Layers whose dtype policies must be the same.
        dtype: Dtype or policy that the owner was given, or None.

    Returns:
        The `keras.DTypePolicy`.

    Raises:
        ValueError: If two of the layers, or a layer and `dtype`, contradict each other.

    Example:
        >>> common_dtype("A sum", [keras.layers.Dense(1, dtype="float64")]).name
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
    """A Keras layer that is called with a `Neighborhood`, and has its weights from the constructor.

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

    def __call__(self, neighborhood):
        # Keras takes only tensors by position.
        return super().__call__(**{self._input_name: neighborhood})


class Descriptor(NeighborhoodLayer, abc.ABC):
    """A layer from a `Neighborhood` to features of its atoms, `(atoms, features)`, that networks read.

    A subclass has to write `call`, and `get_config` if its constructor has more arguments. Features must not change under
    rotation, and a neighbor that reaches the cutoff must have no effect on them; `keras_ff.testing.check_layer` tests it.
    The other methods have defaults that are right for every descriptor; `with_twins`, which fine-tuning on new elements needs, is
    the only one that refuses.

        class Shells(Descriptor):
            def call(self, neighborhood):
                weights = cosine_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask
                return ops.stack([ops.sum(weights**power, axis=1) for power in (1, 2, 4)], axis=-1)

        model = ForceField(NeuralIL(["Si"], descriptor=Shells(cutoff=5.0)))

    Args:
        cutoff: Radius in Å beyond which neighbors are not seen.
        n_species: Number of elements.

    Raises:
        ValueError: If the cutoff is not positive, or there is no element.
    """

    def __init__(self, cutoff, n_species=1, **kwargs):
        super().__init__(**kwargs)
        if not (np.isfinite(cutoff) and cutoff > 0):
            raise ValueError(f"The cutoff must be a positive length in Å. Received cutoff={cutoff}.")
        if n_species < 1:
            raise ValueError(f"There must be at least one species. Received n_species={n_species}.")
        self.cutoff, self.n_species = float(cutoff), int(n_species)
        self._n_features = None

    @abc.abstractmethod
    def call(self, neighborhood):
        """Features of the atoms, `(atoms, features)`."""

    @property
    def n_features(self):
        """Number of features of an atom."""
        if self._n_features is None:
            # Of an atom with one neighbor.
            vectors = ops.convert_to_tensor([[[0.5 * self.cutoff, 0.0, 0.0]]], dtype=self.compute_dtype)
            species = ops.zeros((1, 1), dtype="int32")
            self._n_features = int(self(Neighborhood(vectors, species >= 0, species[0], species, self.cutoff)).shape[-1])
        return self._n_features

    @property
    def groups(self):
        """Slices of the features that have similar sizes; here a single one."""
        return [slice(0, self.n_features)]

    def labels(self, species):
        """Names of the features for figures and tables.

        Args:
            species: Chemical symbols of the elements.
        """
        return [f"{type(self).__name__} {index}" for index in range(self.n_features)]

    def intermediates(self, neighbors):
        """See `Potential.intermediates`."""
        return neighbors

    def with_pullback(self, neighborhood):
        """Features, and what turns derivatives with respect to them into derivatives with respect to the vectors.

        Args:
            neighborhood: The `Neighborhood`.

        Returns:
            Tuple of the features `(atoms, features)`, and a function from `(members, atoms, features)`, derivatives of several
            functions at once, to `(members, atoms, neighbors, 3)`.
        """
        features, pullback = backend.vjp(lambda vectors: self(neighborhood.with_vectors(vectors)), neighborhood.arrays[0])
        return features, backend.vmap(lambda slopes: pullback(slopes)[0])

    def with_twins(self, twins):
        """The descriptor of more elements, each of which takes the role of one that is known.

        Args:
            twins: Index of the known element that stands in for each element: 0, 1, ... for the known ones, then one entry for
                each new element.

        Returns:
            Tuple of the new descriptor; a matrix `(its features, features)` from the features of atoms whose elements are replaced
            by their twins to the new features; and the indices of the old features among the new ones, `(features,)`.

        Raises:
            NotImplementedError: If the descriptor cannot be extended.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no new elements. Write its method `with_twins`, or train anew.")

    def get_config(self):
        return {**super().get_config(), "cutoff": self.cutoff, "n_species": self.n_species}
