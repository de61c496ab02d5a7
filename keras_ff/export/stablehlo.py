"""StableHLO of a function of JAX, by `jax.export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keras_ff.models import ForceField

PLATFORMS = ("cpu", "cuda")


def exported(model: ForceField, function: Callable) -> export.Exported:
    """Program of JAX for CPUs and CUDA, made of a function of `keras_ff.export.artifact.function_of`.

    Args:
        model: `ForceField` that the function belongs to.
        function: Function of vectors, mask, center_species and neighbor_species.

    Returns:
        `jax.export.Exported`, with symbols for the numbers of atoms and neighbors.
    """
    return export.export(jax.jit(function), platforms=PLATFORMS)(*specification(model))


def specification(model: ForceField) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes and dtypes of the four arguments of an exported function, with symbols for the numbers of atoms and neighbors.

    Args:
        model: `ForceField` that the function belongs to.

    Returns:
        Tuple of `jax.ShapeDtypeStruct` for vectors, mask, center_species and neighbor_species.
    """
    atoms, neighbors = export.symbolic_shape("N, K", constraints=("N >= 1", "K >= 1"))
    return (
        jax.ShapeDtypeStruct((atoms, neighbors, 3), model.compute_dtype),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.bool_),
        jax.ShapeDtypeStruct((atoms,), jnp.int32),
        jax.ShapeDtypeStruct((atoms, neighbors), jnp.int32),
    )


def write_stablehlo(model: ForceField, function: Callable, path: Path) -> None:
    """Write a function to a file as StableHLO, which JAX reads without this library.

    Args:
        model: `ForceField` that the function belongs to.
        function: Function of vectors, mask, center_species and neighbor_species.
        path: Path of the file.
    """
    path.write_bytes(exported(model, function).serialize())
