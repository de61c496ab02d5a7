"""Evaluation of functions of neighborhoods for all atoms together, or in chunks of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_ff import backend
from keras_ff.geometry import Neighborhood

if TYPE_CHECKING:
    from collections.abc import Callable

    from keras_ff.potentials.base import Potential

# Largest number of atoms whose intermediate results are kept at the same time where no training needs all of them: on a CPU they
# fill its caches; on an accelerator each chunk costs the launch of hundreds of kernels, and its memory is the limit.
CHUNK = {False: 512, True: 131_072}

# Largest number of numbers of an intermediate result: with hundreds of neighbors, or pairs of them, fewer atoms are enough.
PAIRS = {False: 32_768, True: 2**26}


def at_once(function: Callable, neighborhood: Neighborhood, potential: Potential) -> tuple:
    """Result of a function of a `Neighborhood`, computed for all atoms together.

    It serves derivatives of the result, for which all intermediate results are kept.

    Args:
        function: From a `Neighborhood` to a tuple of tensors `(atoms, ...)`.
        neighborhood: The `Neighborhood`.
        potential: Not used; `in_chunks` has the same arguments.
    """
    return function(neighborhood)


def in_chunks(function: Callable, neighborhood: Neighborhood, potential: Potential) -> tuple:
    """Result of a function of a `Neighborhood`, computed for a bounded number of atoms at a time, in bounded memory.

    Args:
        function: From a `Neighborhood` to a tuple of tensors `(atoms, ...)`.
        neighborhood: The `Neighborhood`.
        potential: The `Potential` that the function evaluates: its `intermediates` decide on the number of atoms.
    """
    atoms, neighbors = neighborhood.arrays[0].shape[:2]
    most, pairs = CHUNK[backend.accelerated()], PAIRS[backend.accelerated()]
    # Second derivatives of a small system do not go through the loop: TensorFlow does not compile all of them.
    if atoms is None or atoms <= 2 * min(most, max(1, pairs // (neighbors or 1))):
        return function(neighborhood)
    chunk = min(most, max(1, pairs // (potential.intermediates(neighbors or 0) or 1)))
    return backend.map_rows(
        lambda *arrays: function(Neighborhood(*arrays, neighborhood.cutoff)), neighborhood.arrays, (0.0, False, -1, 0), chunk
    )
