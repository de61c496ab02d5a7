"""Loops and conditional functions on JAX."""

import jax

from .arrays import arrays


def cond(predicate, true_function, false_function, *args):
    """Result of one of two functions, the only one that is computed."""
    # Without checkpoints, the intermediate values of the function that is not chosen are stored as zeros.
    branches = (jax.checkpoint(function, prevent_cse=False) for function in (true_function, false_function))
    return jax.lax.cond(predicate, *branches, *arrays(args))


def scan(function, init, xs=None, length=None, checkpoint=False):
    """Compiled loop by `jax.lax.scan`."""
    if checkpoint:
        function = jax.checkpoint(function, prevent_cse=False)
    return jax.lax.scan(function, arrays(init), arrays(xs), length)
