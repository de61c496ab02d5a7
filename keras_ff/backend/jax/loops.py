"""Loops and choices on JAX."""

import jax

from .arrays import arrays


def cond(predicate, true_function, false_function, *args):
    """Computes the chosen function only."""
    # Without checkpoints, what each would store is written in zeros where the other is chosen.
    branches = (jax.checkpoint(function, prevent_cse=False) for function in (true_function, false_function))
    return jax.lax.cond(predicate, *branches, *arrays(args))


def scan(function, init, xs=None, length=None, checkpoint=False):
    """One loop, compiled."""
    if checkpoint:
        function = jax.checkpoint(function, prevent_cse=False)
    return jax.lax.scan(function, arrays(init), arrays(xs), length)
