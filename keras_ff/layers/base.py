"""Layers whose input is a `Neighborhood`."""

import keras


class NeighborhoodLayer(keras.layers.Layer):
    """A Keras layer that is called with a `Neighborhood`, and has its weights from the constructor."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, neighborhood):
        # Keras takes only tensors by position.
        return super().__call__(neighborhood=neighborhood)
