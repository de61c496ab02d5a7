"""Potentials that are made of others."""

import keras

from keras_ff.potentials.base import Potential


class OfParts(Potential):
    """A potential with a list `parts` of others, which is all that its configuration needs."""

    def get_config(self):
        config = keras.layers.Layer.get_config(self)
        return {**config, "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config):
        parts = [keras.saving.deserialize_keras_object(part) for part in config.pop("parts")]
        config.pop("dtype", None)  # That of the parts.
        return cls(parts, **config)
