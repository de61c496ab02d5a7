"""Keras on JAX without the import of TensorFlow, where it is installed beside JAX."""

import sys
from typing import Any

from keras.src.saving import serialization_lib


class IfImported:
    """A module that Keras imports when it is looked at, and that counts as absent until somebody else has imported it.

    Args:
        lazy: The module as Keras has it.
    """

    def __init__(self, lazy: Any):
        self._lazy = lazy

    @property
    def available(self) -> bool:
        """Whether the module is imported."""
        return self._lazy.name in sys.modules and self._lazy.available

    def __getattr__(self, name):
        return getattr(self._lazy, name)


def write_without_tensorflow() -> None:
    """Let Keras write configurations without importing TensorFlow, which takes 4 s, to see that nothing is an object of it.

    Private API of Keras: without it, the first `save` is slower.
    """
    lazy = getattr(serialization_lib, "tf", None)
    # Of its class: to look at the attribute would import it.
    if hasattr(type(lazy), "available") and not isinstance(lazy, IfImported):
        serialization_lib.tf = IfImported(lazy)
