"""Precision on JAX."""

import jax

FULL = ("highest", "float32", "F32_F32_F32")


def allow_float64():
    """Switch 64-bit numbers on for the process; arrays of other dtypes keep them."""
    jax.config.update("jax_enable_x64", True)


def has_float64():
    """Whether new arrays of dtype float64 really have it."""
    return jax.dtypes.canonicalize_dtype("float64") == "float64"


def multiply_in_full():
    """Set the default precision of matrix products, which is written into all programs, unless the user has set it."""
    if jax.config.jax_default_matmul_precision is None:
        jax.config.update("jax_default_matmul_precision", "highest")


def reduced_products():
    """Setting under which GPUs round float32 matrices before they multiply them, or None."""
    setting = jax.config.jax_default_matmul_precision
    return None if setting in FULL else f"jax_default_matmul_precision is {setting!r}"
