"""Comparison of energies with forces and stresses, between structures that differ by a small displacement or strain."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

# Two structures are compared if no atom moves further, in Å, and no strain exceeds this.
LARGEST_MOVE = 0.4
LARGEST_STRAIN = 0.06
SMALLEST_STRAIN = 1e-4

# A factor is believed if this many pairs agree on it with this correlation.
FEWEST_PAIRS = 4
LEAST_CORRELATION = 0.9

# Another order of the shear components is believed if its error is at most half of the other, and this fraction of the energies, in
# pairs where the work of shear makes up the second fraction of the energy. Others, such as changes of volume, say nothing of it.
LARGEST_ERROR, LEAST_SHEAR = 0.3, 0.2


def force_factor(structures: Sequence[Atoms], found: Sequence[dict]) -> tuple[float | None, int]:
    """Ratio of energy differences between similar structures to those that their forces predict; 1 for consistent units and signs.

    The energy difference of two structures with the same cell is -(F1 + F2)/2 . (r2 - r1) up to third order.

    Args:
        structures: Sequence of `ase.Atoms`.
        found: Labels of each structure, as from `keras_ff.data.labels`.

    Returns:
        Tuple of the ratio, None where the data cannot tell, and the number of pairs of structures that were compared.
    """
    measured, expected = [], []
    for a, b in similar_pairs(structures):
        strain, moves = _difference(structures[a], structures[b])
        if np.abs(strain).max() > 1e-6 or np.abs(moves).max() < 1e-4:
            continue
        measured.append(found[b]["energy"] - found[a]["energy"])
        expected.append(-0.5 * np.sum((found[a]["forces"] + found[b]["forces"]) * moves))
    return _slope(np.array(expected), np.array(measured))


def stress_factor(structures: Sequence[Atoms], found: Sequence[dict]) -> tuple[float | None, int, str | None]:
    """Ratio of energy differences between strained structures to those that their stresses predict; 1 for consistent units.

    The prediction is volume x stress : strain. The work of the forces on atoms that move within the cell is subtracted first.

    Args:
        structures: Sequence of `ase.Atoms`.
        found: Labels of each structure, as from `keras_ff.data.labels`.

    Returns:
        Tuple of the ratio, None where the data cannot tell; the number of pairs of structures that were compared; and the order
        of the shear components, such as "xy, yz, xz", that explains the energies clearly better than that of ASE, or None.
    """
    work, measured, alike = [], [], []
    for a, b in similar_pairs(structures):
        strain, moves = _difference(structures[a], structures[b])
        if np.abs(strain).max() < SMALLEST_STRAIN:
            continue
        alike.append(group_of(structures[a]) == group_of(structures[b]))
        forces = 0.5 * (found[a]["forces"] + found[b]["forces"])
        inner = -np.nansum(forces * moves)
        stress = 0.5 * (found[a]["stress"] * structures[a].get_volume() + found[b]["stress"] * structures[b].get_volume())
        work.append([stress, [*np.diag(strain), 2 * strain[1, 2], 2 * strain[0, 2], 2 * strain[0, 1]]])
        measured.append(found[b]["energy"] - found[a]["energy"] - inner)
    if not work:
        return None, 0, None
    (stress, strains), measured = np.array(work).swapaxes(0, 1), np.array(measured)
    orders = list(itertools.permutations((3, 4, 5)))
    expected = {shear: np.sum(stress[:, [0, 1, 2, *shear]] * strains, axis=1) for shear in orders}
    slopes = {shear: _slope(values, measured) for shear, values in expected.items()}
    fits = {shear: (slopes[shear][0] or 1.0) * values for shear, values in expected.items()}
    # Structures of another group may differ in more than strain.
    shears = [fits[shear] - (slopes[shear][0] or 1.0) * np.sum((stress * strains)[:, :3], axis=1) for shear in orders]
    told = np.array(alike) & (np.abs(shears).max(axis=0) > LEAST_SHEAR * np.abs(measured))
    errors = {shear: _relative(fit[told] - measured[told], measured[told]) for shear, fit in fits.items()}
    given, best = (3, 4, 5), min(errors, key=errors.get)
    known = np.isfinite(measured[told]).sum() >= FEWEST_PAIRS and slopes[best][0] is not None
    if not known or errors[best] > min(0.5 * errors[given], LARGEST_ERROR):
        return *slopes[given], None
    columns = sorted(zip(best, ("yz", "xz", "xy"), strict=True))
    return *slopes[best], ", ".join(name for _, name in columns)


def group_of(atoms: Atoms) -> str:
    """Name of the group of a structure, `group` or `config_type` in `info`; "" without one."""
    return str(atoms.info.get("group", atoms.info.get("config_type", "")))


def _relative(errors, values):
    return np.nansum(np.abs(errors)) / max(np.nansum(np.abs(values)), 1e-12)


def similar_pairs(structures: Sequence[Atoms]) -> Iterator[tuple[int, int]]:
    """Pairs of structures that differ by a small displacement or strain, as indices.

    Only structures with the same atoms in the same order are paired that follow each other in the list, or in volume.

    Args:
        structures: Sequence of `ase.Atoms`.

    Yields:
        Tuples of two indices.
    """
    groups = {}
    for index, atoms in enumerate(structures):
        if len(atoms):
            groups.setdefault((atoms.numbers.tobytes(), tuple(atoms.pbc)), []).append(index)
    pairs = set()
    for group in groups.values():
        pairs.update(itertools.pairwise(group))
        if structures[group[0]].pbc.all():
            by_volume = sorted(group, key=lambda index: structures[index].get_volume())
            pairs.update(tuple(sorted(pair)) for pair in itertools.pairwise(by_volume))
    for a, b in sorted(pairs):
        strain, moves = _difference(structures[a], structures[b])
        if np.abs(strain).max() <= LARGEST_STRAIN and np.linalg.norm(moves, axis=-1).max() <= LARGEST_MOVE:
            yield a, b


def _difference(one, other):
    """Strain (3, 3) relative to the mean cell, and displacements of the atoms in addition to it (atoms, 3) in Å."""
    first, second = one.cell.complete()[:], other.cell.complete()[:]
    middle = 0.5 * (first + second)
    apart = np.full((3, 3), np.inf), np.full((len(one), 3), np.inf)
    # Cells of another handedness or orientation are no small strain of each other.
    if np.linalg.det(first) * np.linalg.det(second) <= 0.0 or np.linalg.cond(middle) > 1e6:
        return apart
    gradient = np.linalg.solve(middle, second - first)
    strain = 0.5 * (gradient + gradient.T)
    if np.abs(gradient - strain).max() > LARGEST_STRAIN:
        return apart
    steps = np.linalg.solve(second.T, other.positions.T).T - np.linalg.solve(first.T, one.positions.T).T
    steps -= np.round(steps) * one.pbc
    moves = steps @ middle
    if one.pbc.any():
        moves -= moves.mean(axis=0)
    return strain, moves


def _slope(expected, measured):
    """Median ratio of two arrays, None where they do not correlate, and the number of pairs of finite numbers."""
    known = np.isfinite(expected) & np.isfinite(measured)
    expected, measured = expected[known], measured[known]
    if len(expected) < FEWEST_PAIRS or not expected.any() or not measured.any():
        return None, len(expected)
    correlation = np.sum(expected * measured) / np.sqrt(np.sum(expected**2) * np.sum(measured**2))
    if abs(correlation) < LEAST_CORRELATION:
        return None, len(expected)
    # A single outlier does not change the median.
    large = np.abs(expected) >= np.median(np.abs(expected))
    ratios = measured[large] / expected[large]
    factor = float(np.median(ratios))
    # One large pair correlates with itself, whatever the ratios of the many small ones are.
    agree = np.abs(ratios - factor) <= 0.5 * abs(factor)
    return (factor if np.mean(agree) > 0.5 else None), len(expected)
