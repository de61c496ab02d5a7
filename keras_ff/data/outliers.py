"""Structures whose energies or forces are far from those of all others, and smaller weights for them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.data.label_search import labels
from keras_ff.data.reference import fit_reference_energies, is_isolated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

# An energy is an outlier beyond so many robust standard deviations, of at least 0.05 eV/atom, a force beyond so many times the
# median of the largest forces of the structures, and beyond so many eV/Å.
WIDTHS, SMALLEST_WIDTH = 20.0, 0.05
FORCES, SMALLEST_FORCE = 20.0, 20.0

# The fit of the reference energies is repeated so often without the outliers of the last one.
FITS = 3


def energy_excess(structures: Sequence[Atoms], energies: np.ndarray) -> tuple[np.ndarray, float]:
    """Energies per atom relative to those of all structures, after a fit of one energy for each element.

    Args:
        structures: List of `ase.Atoms`.
        energies: Total energies in eV, `(structures,)`, NaN where missing, not all of them.

    Returns:
        Tuple of the energies in eV/atom, `(structures,)`, NaN without a label and for isolated atoms, and the limit of their
        absolute values beyond which they are outliers.
    """
    numbers = sorted({number for atoms in structures for number in set(atoms.numbers.tolist())})
    compositions = np.array([[np.count_nonzero(atoms.numbers == number) for number in numbers] for atoms in structures])
    sizes = np.array([len(atoms) for atoms in structures])
    used = np.isfinite(energies) & np.array([not is_isolated(atoms) for atoms in structures])
    kept, excess, limit = used.copy(), np.full(len(structures), np.nan), np.inf
    for fit in range(FITS if used.any() else 0):
        with warnings.catch_warnings():
            if fit:
                warnings.simplefilter("ignore")
            reference = fit_reference_energies(compositions[kept], energies[kept]).energies
        excess[used] = (energies[used] - compositions[used] @ reference) / sizes[used]
        excess -= np.median(excess[kept])
        limit = WIDTHS * max(1.4826 * float(np.median(np.abs(excess[kept]))), SMALLEST_WIDTH)
        kept = used & (np.abs(excess) <= limit)
        if not kept.any():
            break
    return excess, limit


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
        [1.0, 1.0, 1.0, 1.0, 0.0625]
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
