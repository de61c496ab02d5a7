"""How many atoms are computed together."""

from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood

# Atoms whose intermediate results are kept at the same time where no training needs all of them.
CHUNK = 512

# Numbers of an intermediate result, likewise: with hundreds of neighbors, or pairs of them, fewer atoms fill the cache.
PAIRS = 32_768


def at_once(function, neighborhood, potential):
    """`function(neighborhood)`, all atoms together: for derivatives of the results, which need all that was computed."""
    return function(neighborhood)


def in_chunks(function, neighborhood, potential):
    """`function(neighborhood)`, computed for a bounded number of atoms at a time: memory does not limit the system.

    Args:
        function: From a `Neighborhood` to a tuple of arrays `(atoms, ...)`.
        neighborhood: The `Neighborhood`.
        potential: The `Potential` that the function evaluates: its `intermediates` decide on the number of atoms.
    """
    atoms, neighbors = neighborhood.arrays[0].shape[:2]
    # Second derivatives of a small system do not go through the loop: TensorFlow does not compile all of them.
    if atoms is None or atoms <= 2 * min(CHUNK, max(1, PAIRS // (neighbors or 1))):
        return function(neighborhood)
    chunk = min(CHUNK, max(1, PAIRS // (potential.intermediates(neighbors or 0) or 1)))
    count = -(-atoms // chunk)
    chunks = [
        ops.reshape(
            ops.pad(row, [(0, count * chunk - atoms)] + [(0, 0)] * (row.ndim - 1), constant_values=fill),
            (count, chunk, *row.shape[1:]),
        )
        for row, fill in zip(neighborhood.arrays, (0.0, False, -1, 0))
    ]

    def of_chunk(carry, arrays):
        return carry, function(Neighborhood(*arrays, neighborhood.cutoff))

    _, results = backend.scan(of_chunk, ops.zeros((), neighborhood.dtype), chunks)
    return tuple(ops.reshape(x, (-1, *x.shape[2:]))[:atoms] for x in results)
