"""SavedModel of a function of JAX, by jax2tf. It needs TensorFlow too."""

import tensorflow as tf
from jax.experimental import jax2tf

NAMES = ("vectors", "mask", "center_species", "neighbor_species")


def write_saved_model(model, function, folder):
    """Write a function as the signature `serving_default` of a SavedModel, for CPUs and CUDA."""
    shapes = ["(N, K, 3)", "(N, K)", "(N,)", "(N, K)"]
    converted = jax2tf.convert(
        function,
        polymorphic_shapes=shapes,
        with_gradient=False,
        native_serialization_platforms=("cpu", "cuda"),
    )
    dtypes = (model.compute_dtype, tf.bool, tf.int32, tf.int32)
    sizes = ((None, None, 3), (None, None), (None,), (None, None))
    module = tf.Module()
    module.function = tf.function(
        lambda vectors, mask, center_species, neighbor_species: converted(vectors, mask, center_species, neighbor_species),
        autograph=False,
        input_signature=[tf.TensorSpec(size, dtype, name) for size, dtype, name in zip(sizes, dtypes, NAMES)],
    )
    tf.saved_model.save(module, str(folder), signatures=module.function)
