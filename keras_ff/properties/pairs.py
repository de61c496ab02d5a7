"""Radial distribution functions as smooth functions of the positions."""

import numpy as np
from keras import ops

from keras_ff.geometry import determinant, pair_vectors

# Grid points per width, and the number of widths after which a Gaussian ends.
POINTS, TAIL = 3, 5.0


def pair_distribution(frame, radii, width, centers, others):
    """Radial distribution function g(r) of one frame, `(radii,)`, differentiable with respect to the positions.

    Each distance is distributed over four points of a uniform grid by cubic B-splines, and the grid is smeared by a Gaussian: the
    cost does not grow with the number of radii. The variances of spline and Gaussian add up to `width` squared.

    Args:
        frame: Dict of `positions` `(atoms, 3)` in Å, `cell` `(3, 3)` in Å, and `neighbors` `(atoms, neighbors)` with their `shifts`
            `(atoms, neighbors, 3)`, listed within `reach` at least.
        radii: Where g(r) is computed, in Å, NumPy `(radii,)`.
        width: Standard deviation in Å by which each distance is smeared.
        centers: 1 for each atom that counts as a center, 0 for the others, NumPy `(atoms,)`.
        others: The same for atoms that count as neighbors.

    Returns:
        Tensor `(radii,)`.
    """
    positions, cell = ops.convert_to_tensor(frame["positions"]), ops.convert_to_tensor(frame["cell"])
    neighbors, dtype = ops.convert_to_tensor(frame["neighbors"]), positions.dtype
    vectors = pair_vectors(positions[None], cell[None], neighbors[None], ops.convert_to_tensor(frame["shifts"])[None])[0]
    centers, others = (ops.convert_to_tensor(mask, dtype=dtype) for mask in (centers, others))
    counted = centers[:, None] * ops.take(others, ops.maximum(neighbors, 0), axis=0)
    squared = ops.sum(vectors * vectors, axis=-1)
    counted = ops.where(neighbors >= 0, counted, 0.0)

    step = width / POINTS
    points = int(np.ceil(reach(radii, width) / step)) + 3
    position = ops.sqrt(ops.where(counted > 0, squared, 1.0)) / step
    first = ops.cast(position, "int32")
    fraction = position - ops.cast(first, dtype)
    left = 1.0 - fraction
    shares = ops.stack(
        [left**3, 4.0 - 3.0 * fraction**2 * (2.0 - fraction), 4.0 - 3.0 * left**2 * (2.0 - left), fraction**3], axis=-1
    ) * (counted[..., None] / 6.0)
    targets = ops.minimum(first[..., None] + ops.convert_to_tensor(np.arange(4, dtype="int32")), points)
    counts = ops.segment_sum(ops.reshape(shares, (-1,)), ops.reshape(targets, (-1,)), num_segments=points + 1)

    # The first of the four points is one step before the distance.
    distance = radii[:, None] - step * (np.arange(points + 1) - 1.0)
    narrow = np.sqrt(width**2 - step**2 / 3.0)
    smear = np.exp(-0.5 * (distance / narrow) ** 2) / (np.sqrt(2.0 * np.pi) * narrow * 4.0 * np.pi * radii[:, None] ** 2)
    # Distances beyond the grid were counted at its last point.
    smear[:, points] = 0.0
    density = ops.abs(determinant(cell)) / (ops.sum(centers) * ops.sum(others))
    return density * ops.matmul(ops.convert_to_tensor(smear, dtype=dtype), counts)


def reach(radii, width):
    """Largest distance in Å that contributes to g(r) at `radii` smeared by `width`."""
    return float(np.max(radii) + TAIL * width)


def checked_radii(radii):
    """Radii as a NumPy array `(radii,)` of float64.

    Raises:
        ValueError: If they are not positive numbers in one row.
    """
    radii = np.asarray(radii, dtype="float64")
    if radii.ndim != 1 or not len(radii) or not (radii > 0).all():
        raise ValueError(f"Radii are positive numbers in Å, in one row. Received {radii}.")
    return radii


def pair_masks(atoms, pair):
    """Masks of the atoms that count as centers and of those that count as neighbors.

    Args:
        atoms: `ase.Atoms`, periodic in three directions.
        pair: Two elements, or None for all atoms.

    Returns:
        Tuple of two NumPy arrays `(atoms,)` of 0 and 1.

    Raises:
        ValueError: If the structure is not periodic in three directions, or has no atom of an element.
    """
    if not atoms.pbc.all():
        raise ValueError(f"{atoms.get_chemical_formula()} has no density: pbc={atoms.pbc.tolist()}. It needs a cell and pbc=True.")
    if pair is None:
        return np.ones(len(atoms)), np.ones(len(atoms))
    missing = sorted(set(pair) - set(atoms.symbols))
    if len(pair) != 2 or missing:
        raise ValueError(f"pair is two elements of {atoms.get_chemical_formula()}. Received {pair}.")
    return tuple(np.array([symbol == name for symbol in atoms.symbols], dtype="float64") for name in pair)
