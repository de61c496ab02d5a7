"""Layers whose input is a `Neighborhood`."""

import keras

from keras_ff import backend


class NeighborhoodLayer(keras.layers.Layer):
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
