"""SavedModel of a function of JAX: its StableHLO in a graph of TensorFlow, which must be installed too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

# Neither JAX nor TensorFlow promises these three names. They serialize StableHLO in a chosen version, tell the version that
# TensorFlow reads, and put StableHLO into a graph; without one of them SavedModels are exported from TensorFlow alone.
from jaxlib.mlir.dialects import stablehlo as of_jax
from tensorflow.compiler.mlir.stablehlo import stablehlo as of_tensorflow
from tensorflow.compiler.tf2xla.python import xla

from keras_ff.export.saved_model_tensorflow import input_signature
from keras_ff.export.stablehlo import exported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import jax

    from keras_ff.models import ForceField


def write_saved_model(model: ForceField, function: Callable, folder: Path) -> None:
    """Write a function of JAX as the signature `serving_default` of a SavedModel, for CPUs and CUDA.

    Args:
        model: `ForceField` that the function belongs to.
        function: Function of vectors, mask, center_species and neighbor_species that returns a dict of arrays.
        folder: Folder of the SavedModel.
    """
    call = graph_function(exported(model, function))
    module = tf.Module()
    module.function = tf.function(
        lambda vectors, mask, center_species, neighbor_species: call(vectors, mask, center_species, neighbor_species),
        autograph=False,
        input_signature=input_signature(model.compute_dtype),
    )
    tf.saved_model.save(module, str(folder), signatures=module.function)


def graph_function(program: jax.export.Exported) -> Callable:
    """Function of TensorFlow that runs a program of JAX.

    `jax.experimental.jax2tf` does the same, but always writes the version of StableHLO that was current four weeks before the
    release of JAX. A TensorFlow that is months older does not read it ("unregistered operation 'vhlo.custom_call_v2'").

    Args:
        program: `jax.export.Exported` of a function that returns tensors in any nest of dicts and tuples.

    Returns:
        Function that takes the arguments of the program as tensors, and returns its results as tensors.
    """
    code = for_tensorflow(program.mlir_module_serialized)

    def call(*tensors):
        results = xla.call_module(
            # A program lacks the arguments on which its results do not depend.
            [tensors[index] for index in program.module_kept_var_idx],
            version=program.calling_convention_version,
            module=code,
            Tout=[tf.as_dtype(result.dtype) for result in program.out_avals],
            Sout=[[size if isinstance(size, int) else None for size in result.shape] for result in program.out_avals],
            platforms=[platform.upper() for platform in program.platforms],
        )
        return program.out_tree.unflatten(results)

    return call


def for_tensorflow(code: bytes) -> bytes:
    """Serialized StableHLO in a version that the installed TensorFlow reads.

    Args:
        code: Bytes of a portable artifact of StableHLO from JAX.

    Returns:
        Bytes of a portable artifact in the version of TensorFlow or that of JAX, whichever is older.
    """
    version = of_jax.get_smaller_version(of_jax.get_current_version(), of_tensorflow.get_current_version())
    return of_jax.serialize_portable_artifact_str(of_jax.deserialize_portable_artifact_str(code), version)
