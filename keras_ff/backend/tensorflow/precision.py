"""Precision on TensorFlow."""

import tensorflow as tf


def allow_float64():
    """Do nothing, as TensorFlow always has 64-bit numbers."""


def has_float64():
    """Whether new tensors of dtype float64 really have it: always."""
    return True


def multiply_in_full():
    """Switch TF32 off for the process. XLA reads the switch when it compiles, other operations when they run."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def reduced_products():
    """Setting under which GPUs round float32 matrices before they multiply them, or None."""
    return "TensorFloat-32 is enabled" if tf.config.experimental.tensor_float_32_execution_enabled() else None
