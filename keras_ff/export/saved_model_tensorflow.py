"""SavedModel of a function of TensorFlow, compiled by XLA where it runs."""

import tensorflow as tf

NAMES = ("vectors", "mask", "center_species", "neighbor_species")


def write_saved_model(model, function, folder):
    """Write a function as the signature `serving_default` of a SavedModel."""
    dtypes = (model.compute_dtype, tf.bool, tf.int32, tf.int32)
    sizes = ((None, None, 3), (None, None), (None,), (None, None))
    module = tf.Module()
    module.variables_read = [weight.value for weight in model.weights]
    module.function = tf.function(
        function,
        autograph=False,
        jit_compile=True,
        input_signature=[tf.TensorSpec(size, dtype, name) for size, dtype, name in zip(sizes, dtypes, NAMES)],
    )
    tf.saved_model.save(module, str(folder), signatures=module.function)
