"""A law that published potentials need not obey: where atoms come close, the energy rises."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from keras_ff.testing.law import LawResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.models import ForceField

# Shortest distance of a dimer in Å, and how far below the sum of covalent radii its energy may still fall, as that of Cr2 does.
CLOSEST, SHORTEST_BOND = 0.5, 0.6

# Smallest volume relative to that of the structure, and how far below 1 the energy may still fall.
DENSEST, SHRUNK = 0.5, 0.8

# Points of a scan, and most pairs of elements, spread over all.
POINTS, PAIRS = 24, 60

# A fall by less than this, in eV, is none.
SMALLEST_FALL = 0.01


def nothing_falls(model: ForceField, structures: Sequence[Atoms]) -> LawResult:
    """Scan dimers of all pairs of elements down to 0.5 Å, and periodic structures down to half of their volume.

    Beyond the shortest bonds and the equilibrium volume the energy must rise at each step. A network that has seen no such
    distances may fall without end there, and simulations with it.

    Args:
        model: The `ForceField`.
        structures: Structures, of which those periodic in three directions are compressed.

    Returns:
        `LawResult` whose deviation is the deepest fall in eV.

    Example:
        >>> import keras_ff as kff
        >>> kff.enable_float64()
        >>> from ase.build import bulk
        >>> from keras_ff.testing import nothing_falls
        >>> nothing_falls(kff.ForceField(kff.potentials.ZBL(["Si"])), [bulk("Si")]).passed
        True
    """
    scans = [_dimers(model, *pair) for pair in _pairs(model.species)]
    scans += [_compressed(atoms) for atoms in structures if atoms.pbc.all()]
    energies = model.predict([atoms for _, _, frames in scans for atoms in frames], verbose=0)["energy"][:, 0].astype("float64")
    worst, detail = 0.0, "Energies of all dimers and compressed structures rise."
    for (text, first, _), values in zip(scans, np.split(energies, len(scans)), strict=True):
        if not np.isfinite(values).all():
            return LawResult("nothing falls", np.nan, SMALLEST_FALL, f"The energies of {text} are not all finite.")
        # From the minimum among the first points on.
        values = values[int(values[: first + 1].argmin()) :]
        fall = float(np.max(np.maximum.accumulate(values) - values))
        if fall > worst:
            worst, detail = fall, f"The energy of {text} falls by {fall:.3g} eV."
    return LawResult("nothing falls", worst, SMALLEST_FALL, detail)


def _pairs(species):
    """Pairs of elements, not more than `PAIRS`."""
    pairs = list(itertools.combinations_with_replacement(species, 2))
    return pairs[:: -(-len(pairs) // PAIRS)]


def _dimers(model, *symbols):
    """Text, number of points in which the energy may fall, and structures of a dimer whose atoms approach each other."""
    radii = sum(covalent_radii[atomic_numbers[symbol]] for symbol in symbols)
    distances = np.linspace(max(radii, 2 * CLOSEST), CLOSEST, POINTS)
    # Sums over waves need a cell.
    box = {"cell": [2 * model.cutoff + 2] * 3, "pbc": True} if model.wave_cutoff else {}
    frames = [Atoms(symbols, [[0, 0, 0], [0, 0, distance]], **box) for distance in distances]
    text = f"a dimer {'-'.join(symbols)} that is pushed together from {distances[0]:.2f} to {CLOSEST:g} Å"
    return text, int(np.sum(distances >= SHORTEST_BOND * radii)) - 1, frames


def _compressed(atoms):
    """The same of a structure that is compressed."""
    frames, volumes = [], np.linspace(1.0, DENSEST, POINTS)
    for volume in volumes:
        frame = Atoms(atoms.numbers, cell=atoms.cell, pbc=True, scaled_positions=atoms.get_scaled_positions(wrap=False))
        frame.set_cell(atoms.cell.array * volume ** (1 / 3), scale_atoms=True)
        frames.append(frame)
    text = f"{atoms.get_chemical_formula()} that is compressed to {DENSEST:g} of its volume"
    return text, int(np.sum(volumes >= SHRUNK)) - 1, frames
