"""Double precision on JAX."""

import jax


def allow_float64():
    """Switch 64-bit numbers on for the process; arrays of other dtypes keep them."""
    jax.config.update("jax_enable_x64", True)


def has_float64():
    """Whether new arrays of dtype float64 really have it."""
    return jax.dtypes.canonicalize_dtype("float64") == "float64"
