"""Structures whose energies or forces are far from those of all others, and smaller weights for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_ff.data.label_search import labels
from keras_ff.data.reference import is_isolated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

# An energy is an outlier beyond so many robust standard deviations, of at least 0.05 eV/atom, a force beyond so many times the
# median of the largest forces of the structures, and beyond so many eV/Å.
WIDTHS, SMALLEST_WIDTH = 20.0, 0.05
FORCES, SMALLEST_FORCE = 20.0, 20.0

# Steps of reweighted least squares to the fit with the least absolute deviations, which outliers do not move.
FITS = 20


def energy_excess(structures: Sequence[Atoms], energies: np.ndarray) -> tuple[np.ndarray, float]:
    """Energies per atom relative to those of all structures, after a robust fit of one energy for each element.

    Args:
        structures: List of `ase.Atoms`.
        energies: Total energies in eV, `(structures,)`, NaN where missing, not all of them.

    Returns:
        Tuple of the energies in eV/atom, `(structures,)`, NaN without a label and for isolated atoms, and the limit of their
        absolute values beyond which they are outliers.
    """
    compositions = compositions_of(structures)
    sizes = compositions.sum(axis=1)
    used = np.isfinite(energies) & np.array([not is_isolated(atoms) for atoms in structures])
    excess, limit = np.full(len(structures), np.nan), np.inf
    if used.any():
        fractions, per_atom = compositions[used] / sizes[used, None], energies[used] / sizes[used]
        weights = np.ones(len(per_atom))
        for _ in range(FITS):
            reference = np.linalg.lstsq(fractions * weights[:, None], per_atom * weights, rcond=1e-8)[0]
            left = per_atom - fractions @ reference
            weights = 1.0 / np.sqrt(np.maximum(np.abs(left), SMALLEST_WIDTH))
        excess[used] = left - np.median(left)
        limit = WIDTHS * max(1.4826 * float(np.median(np.abs(excess[used]))), SMALLEST_WIDTH)
    return excess, limit


def compositions_of(structures: Sequence[Atoms]) -> np.ndarray:
    """Number of atoms of each element in structures, `(structures, elements)`, in the order of the atomic numbers."""
    numbers = sorted({number for atoms in structures for number in set(atoms.numbers.tolist())})
    return np.array([[np.count_nonzero(atoms.numbers == number) for number in numbers] for atoms in structures])


def outlier_weights(structures: Sequence[Atoms]) -> np.ndarray:
    """Weights of structures that are 1 for most and fall as the square of how far an energy or a force is beyond its limit.

        weight = min(1, energy limit / |energy per atom|, force limit / largest force)²

    The energy per atom is relative to those of the other structures, the limit 20 robust standard deviations of it, at least
    1 eV/atom; that of forces is 20 times the median of the largest forces of the structures, at least 20 eV/Å.

    Args:
        structures: List of `ase.Atoms`, or `CachedStructures`.

    Returns:
        Array `(structures,)`.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> from keras_ff.data.outliers import outlier_weights
        >>> dimers = [Atoms("H2", [[0, 0, 0], [0, 0, 0.8]], info={"energy": energy}) for energy in (-6.8, -6.6, -6.7, -6.7, 1.3)]
        >>> outlier_weights(dimers).round(4).tolist()
        [1.0, 1.0, 1.0, 1.0, 0.1374]
    """
    structures = list(structures)
    found = [labels(atoms) for atoms in structures]
    energies = np.array([one["energy"] for one in found])
    ratios = np.ones((3, len(structures)))
    if np.isfinite(energies).any():
        excess, limit = energy_excess(structures, energies)
        ratios[1] = limit / np.maximum(np.abs(np.nan_to_num(excess)), limit)
    highest = np.array([np.nan_to_num(np.linalg.norm(one["forces"], axis=-1)).max(initial=0.0) for one in found])
    if highest.any():
        limit = max(FORCES * float(np.median(highest[highest > 0])), SMALLEST_FORCE)
        ratios[2] = limit / np.maximum(highest, limit)
    return ratios.min(axis=0) ** 2
