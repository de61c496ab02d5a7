"""StableHLO by `jax.export`."""

import jax
import jax.numpy as jnp
from jax import export

PLATFORMS = ("cpu", "cuda")


def specification(model, scope=None):
    """Shapes and dtypes of the arguments, with symbols for the numbers of atoms and neighbors."""
    atoms, neighbors = export.symbolic_shape("N, K", constraints=("N >= 1", "K >= 1"))
    return (
        jax.ShapeDtypeStruct((atoms, neighbors, 3), model.compute_dtype),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.bool_),
        jax.ShapeDtypeStruct((atoms,), jnp.int32),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.int32),
    )


def write_stablehlo(model, function, path):
    """Write a function for CPUs and CUDA."""
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*specification(model))
    path.write_bytes(exported.serialize())
