"""SavedModel of a function of TensorFlow, compiled by XLA on the machine that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from keras_ff.interfaces.description import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keras_ff.models import ForceField


def write_saved_model(model: ForceField, function: Callable, folder: Path) -> None:
    """Write a function of TensorFlow as the signature `serving_default` of a SavedModel.

    Args:
        model: `ForceField` that the function belongs to.
        function: Function of vectors, mask, center_species and neighbor_species that returns a dict of tensors.
        folder: Folder of the SavedModel.
    """
    module = tf.Module()
    module.variables_read = [weight.value for weight in model.weights]
    module.function = tf.function(function, autograph=False, jit_compile=True, input_signature=input_signature(model.compute_dtype))
    tf.saved_model.save(module, str(folder), signatures=module.function)


def input_signature(dtype: str) -> list[tf.TensorSpec]:
    """Specifications of vectors, mask, center_species and neighbor_species, for any numbers of atoms and neighbors.

    Args:
        dtype: Dtype of the vectors.
    """
    dtypes = (dtype, tf.bool, tf.int32, tf.int32)
    sizes = ((None, None, 3), (None, None), (None,), (None, None))
    return [tf.TensorSpec(*specification) for specification in zip(sizes, dtypes, INPUTS)]
