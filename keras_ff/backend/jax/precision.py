"""64-bit numbers on JAX."""

import jax


def allow_float64():
    """Switch 64-bit numbers on, for the process; what has another dtype keeps it."""
    jax.config.update("jax_enable_x64", True)


def has_float64():
    """Whether new arrays of float64 are what they say."""
    return jax.dtypes.canonicalize_dtype("float64") == "float64"
