"""Layers whose input is a `Neighborhood`."""

import keras

from keras_ff import backend


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
    """A Keras layer that is called with a `Neighborhood`, and has its weights from the constructor."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, neighborhood):
        # Keras takes only tensors by position.
        return super().__call__(neighborhood=neighborhood)


class Descriptor(NeighborhoodLayer):
    """A layer from a `Neighborhood` to features of its atoms, `(atoms, features)`."""

    def with_pullback(self, vectors, surroundings):
        """Features, and what turns derivatives by them into derivatives by the vectors, for several functions at once.

        Args:
            vectors: To the neighbors, `(atoms, neighbors, 3)`, in Å.
            surroundings: Function from such vectors to the `Neighborhood`.

        Returns:
            Tuple of the features `(atoms, features)`, and a function from `(members, atoms, features)` to
            `(members, atoms, neighbors, 3)`.
        """
        features, pullback = backend.vjp(lambda vectors: self(surroundings(vectors)), vectors)
        return features, backend.vmap(lambda slopes: pullback(slopes)[0])
