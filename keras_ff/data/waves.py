"""Waves of a crystal: the reciprocal lattice vectors over which a long-range potential sums."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


# Number of waves beyond which the unit of a cell must be wrong: a cube of 100 Å has a few hundred thousand.
MOST_WAVES = 10_000_000


def wave_shape(cell: np.ndarray, wave_cutoff: float) -> tuple[int, int, int]:
    """Shape of the smallest array `waves` of a cell: (n_1 + 1, 2 n_2 + 1, 2 n_3 + 1) with `n_d = floor(wave_cutoff |a_d| / 2 pi)`.

    No wave within the cutoff has a higher number, as 2 pi n_d = k · a_d.

    Args:
        cell: (3, 3), rows are lattice vectors, in Å.
        wave_cutoff: Largest length of a wave vector in 1/Å.

    Returns:
        Tuple of three integers.

    Raises:
        ValueError: If there are so many waves that the unit of the cell must be wrong.

    Example:
        >>> wave_shape(np.diag([4.0, 4.0, 8.0]), 1.6)
        (2, 3, 5)
    """
    n = [math.floor(wave_cutoff * length / (2.0 * math.pi)) for length in np.linalg.norm(cell, axis=-1).tolist()]
    shape = n[0] + 1, 2 * n[1] + 1, 2 * n[2] + 1
    if math.prod(shape) > MOST_WAVES:
        raise ValueError(
            f"A sum over waves up to {wave_cutoff:.3g} 1/Å has about {math.prod(shape):.1e} terms in the cell "
            f"{np.round(cell, 3).tolist()}. Is the cell in Å?"
        )
    return shape


def lattice_waves(cell: np.ndarray, wave_cutoff: float, shape: Sequence[int]) -> np.ndarray:
    """Multiplicity of each wave in a sum over all waves with `0 < |k| <= wave_cutoff`, an int32 array.

    The wave k = 2 pi (n_1 b_1 + n_2 b_2 + n_3 b_3), with b_i · a_j = delta_ij, has the index [n_1, n_2 + N_2 // 2, n_3 + N_3 // 2].
    Waves with negative n_1 are left out, as k and -k contribute equally to a real sum.

    Args:
        cell: (3, 3), rows are lattice vectors, in Å.
        wave_cutoff: Largest length of a wave vector in 1/Å.
        shape: Shape (N_1, N_2, N_3) of the result, no smaller than `wave_shape` along any axis, the last two odd.

    Returns:
        Array (N_1, N_2, N_3): 2 for waves that stand for their opposite too, 1 for those with n_1 = 0, and 0 for waves beyond the
        cutoff and the wave of length 0.

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


def check_crystal(cell: np.ndarray, name: str) -> None:
    """Raise an error unless a structure is periodic in three directions.

    Args:
        cell: (3, 3), rows are lattice vectors, in Å, with zeros where the structure does not repeat.
        name: Name of the structure for the message.

    Raises:
        ValueError: If a row is zero.
    """
    periodic = np.any(cell, axis=-1)
    if not periodic.all():
        raise ValueError(
            f"{name} is periodic along pbc={periodic.tolist()}, and the model has a term of long range, a sum over the waves of a "
            "crystal (an Ewald sum), which needs all three directions. Set pbc=True with a cell that leaves enough vacuum, or use "
            "the local DampedShiftedForce."
        )
