"""Elementary functions on JAX."""

import jax
from keras import ops


def erfc(x):
    """Complementary error function in the precision of `x`."""
    return jax.scipy.special.erfc(ops.convert_to_tensor(x))


def softplus(x):
    """Softplus function in the precision of `x`."""
    return jax.nn.softplus(ops.convert_to_tensor(x))
