"""How often distances occur, smoothly."""

import numpy as np
from keras import ops

from keras_ff.geometry import determinant, pair_vectors

# Points of the grid per width, and widths after which a Gaussian ends.
POINTS, TAIL = 3, 5.0


def pair_distribution(frame, radii, width, centers, others):
    """Radial distribution function of one frame, `(radii,)`.

    Each distance is given to four points of an even grid by cubic B-splines, and the grid is smeared: the cost does not grow with
    the number of radii. The widths of spline and smearing make up the width asked for.

    Args:
        frame: Dict of `positions` `(atoms, 3)`, `cell`, `neighbors` and `shifts`, within `reach` at least.
        radii: In Å, NumPy `(radii,)`.
        width: In Å.
        centers: Which atoms count as centers, NumPy `(atoms,)` of 0 and 1.
        others: Which count as neighbors.
    """
    positions, cell = ops.convert_to_tensor(frame["positions"]), ops.convert_to_tensor(frame["cell"])
    neighbors, dtype = ops.convert_to_tensor(frame["neighbors"]), positions.dtype
    vectors = pair_vectors(positions[None], cell[None], neighbors[None], ops.convert_to_tensor(frame["shifts"])[None])[0]
    centers, others = (ops.convert_to_tensor(who, dtype=dtype) for who in (centers, others))
    counted = centers[:, None] * ops.take(others, ops.maximum(neighbors, 0), axis=0)
    squared = ops.sum(vectors * vectors, axis=-1)
    counted = ops.where(neighbors >= 0, counted, 0.0)

    step = width / POINTS
    points = int(np.ceil(reach(radii, width) / step)) + 3
    places = ops.sqrt(ops.where(counted > 0, squared, 1.0)) / step
    first = ops.cast(places, "int32")
    part = places - ops.cast(first, dtype)
    rest = 1.0 - part
    shares = ops.stack([rest**3, 4.0 - 3.0 * part**2 * (2.0 - part), 4.0 - 3.0 * rest**2 * (2.0 - rest), part**3], axis=-1) * (
        counted[..., None] / 6.0
    )
    targets = ops.minimum(first[..., None] + ops.convert_to_tensor(np.arange(4, dtype="int32")), points)
    found = ops.segment_sum(ops.reshape(shares, (-1,)), ops.reshape(targets, (-1,)), num_segments=points + 1)

    # The first of the four points is one step before the distance.
    distance = radii[:, None] - step * (np.arange(points + 1) - 1.0)
    narrow = np.sqrt(width**2 - step**2 / 3.0)
    smear = np.exp(-0.5 * (distance / narrow) ** 2) / (np.sqrt(2.0 * np.pi) * narrow * 4.0 * np.pi * radii[:, None] ** 2)
    # What is beyond the grid was gathered in its last point.
    smear[:, points] = 0.0
    density = ops.abs(determinant(cell)) / (ops.sum(centers) * ops.sum(others))
    return density * ops.matmul(ops.convert_to_tensor(smear, dtype=dtype), found)


def reach(radii, width):
    """The largest distance in Å that counts."""
    return float(np.max(radii) + TAIL * width)


def checked_radii(radii):
    """Radii as NumPy float64, or a ValueError."""
    radii = np.asarray(radii, dtype="float64")
    if radii.ndim != 1 or not len(radii) or not (radii > 0).all():
        raise ValueError(f"Radii are positive numbers in Å, in one row. Received {radii}.")
    return radii


def chosen(atoms, pair):
    """Which atoms are centers and which neighbors, two arrays of 0 and 1; of all atoms without a pair of elements."""
    if not atoms.pbc.all():
        raise ValueError(f"{atoms.get_chemical_formula()} has no density: pbc={atoms.pbc.tolist()}. It needs a cell and pbc=True.")
    if pair is None:
        return np.ones(len(atoms)), np.ones(len(atoms))
    missing = sorted(set(pair) - set(atoms.symbols))
    if len(pair) != 2 or missing:
        raise ValueError(f"pair is two elements of {atoms.get_chemical_formula()}. Received {pair}.")
    return tuple(np.array([symbol == name for symbol in atoms.symbols], dtype="float64") for name in pair)
