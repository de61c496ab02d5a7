"""StableHLO by `jax.export`."""

import jax
import jax.numpy as jnp
from jax import export

PLATFORMS = ("cpu", "cuda")


def exported(model, function):
    """A function of `keras_ff.export.artifact.function_of` as a `jax.export.Exported`, for CPUs and CUDA.

    Args:
        model: `ForceField` that the function belongs to.
        function: Function of vectors, mask, center_species and neighbor_species.

    Returns:
        The program, with symbols for the numbers of atoms and neighbors.
    """
    return export.export(jax.jit(function), platforms=PLATFORMS)(*specification(model))


def specification(model):
    """Shapes and dtypes of the four arguments, with symbols for the numbers of atoms and neighbors."""
    atoms, neighbors = export.symbolic_shape("N, K", constraints=("N >= 1", "K >= 1"))
    return (
        jax.ShapeDtypeStruct((atoms, neighbors, 3), model.compute_dtype),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.bool_),
        jax.ShapeDtypeStruct((atoms,), jnp.int32),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.int32),
    )


def write_stablehlo(model, function, path):
    """Write the file `path` with the function as StableHLO, which JAX reads alone."""
    path.write_bytes(exported(model, function).serialize())
