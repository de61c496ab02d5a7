"""Waves: the reciprocal lattice vectors over which a long-range potential sums."""

import math

import numpy as np


def wave_shape(cell, wave_cutoff):
    """Shape of the smallest array `waves` of a cell: (n_1 + 1, 2 n_2 + 1, 2 n_3 + 1) with n_d = floor(wave_cutoff |a_d| / 2 pi).

    No wave within the cutoff has a higher number, as 2 pi n_d = k · a_d.

    Args:
        cell: Rows are lattice vectors, (3, 3), in Å.
        wave_cutoff: In 1/Å.
    """
    n = np.floor(wave_cutoff * np.linalg.norm(cell, axis=-1) / (2.0 * math.pi)).astype(int)
    return int(n[0]) + 1, 2 * int(n[1]) + 1, 2 * int(n[2]) + 1


def lattice_waves(cell, wave_cutoff, shape):
    """How often each wave counts in a sum over all waves with 0 < |k| <= `wave_cutoff`.

    The wave k = 2 pi (n_1 b_1 + n_2 b_2 + n_3 b_3), with b_i · a_j = delta_ij, has the place [n_1, n_2 + N_2 // 2, n_3 + N_3 // 2].
    Negative n_1 have no place: k and -k are the same to a real sum.

    Args:
        cell: Rows are lattice vectors, (3, 3), in Å.
        wave_cutoff: In 1/Å.
        shape: Shape (N_1, N_2, N_3) of the result, no smaller than `wave_shape` along any axis, the last two odd.

    Returns:
        int32 array: 2 for waves that stand for their opposite too, 1 for those with n_1 = 0, 0 for those that do not count.

    Example:
        >>> waves = lattice_waves(np.diag([4.0, 4.0, 4.0]), 1.6, (2, 3, 3))
        >>> int(waves.sum()), waves[1].tolist()
        (6, [[0, 0, 0], [0, 2, 0], [0, 0, 0]])
    """
    n1, n2, n3 = np.ogrid[: shape[0], : shape[1], : shape[2]]
    n2, n3 = n2 - shape[1] // 2, n3 - shape[2] // 2
    metric = 4.0 * math.pi**2 * np.linalg.inv(np.asarray(cell, dtype=np.float64) @ np.transpose(cell))
    squared = metric[0, 0] * n1 * n1 + metric[1, 1] * n2 * n2 + metric[2, 2] * n3 * n3
    squared = squared + 2.0 * (metric[0, 1] * n1 * n2 + metric[0, 2] * n1 * n3 + metric[1, 2] * n2 * n3)
    counts = (squared <= wave_cutoff**2) * np.where(n1 > 0, 2, 1)
    counts[0, shape[1] // 2, shape[2] // 2] = 0
    return counts.astype(np.int32)


def check_crystal(cell, name):
    """Raise a ValueError about the structure `name` unless its cell, with zeros where it does not repeat, has three vectors."""
    periodic = np.any(cell, axis=-1)
    if not periodic.all():
        raise ValueError(
            f"{name} is periodic along pbc={periodic.tolist()}, and the model has a part of long range, a sum over the waves of a "
            "crystal (an Ewald sum), which needs all three directions. Set pbc=True with a cell that leaves enough vacuum, or use "
            "the local DampedShiftedForce."
        )
