"""The repulsion at short range that keeps a network from falling where it has no data."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from tqdm import tqdm

import keras_ff as kff
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.learned import Learned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ase

    from keras_ff.potentials import Potential
    from keras_ff_tools.run.settings import Settings

# Distances are looked at in this many structures, spread over the training set.
MOST = 2000

# Nearer than this fraction of the sum of covalent radii, atoms are in close contact: their energy is that of nuclei.
CLOSE = 0.5

# The repulsion is complete within this fraction of the shortest distance, so that it rises more steeply there than networks fall.
ONSET = 0.8


def closest_pairs(structures: Sequence[ase.Atoms], species: Sequence[str]) -> np.ndarray:
    """Shortest distance of each pair of elements in structures, and at most one and a half times the sum of their covalent radii.

    Args:
        structures: The structures.
        species: Chemical symbols.

    Returns:
        Symmetric NumPy array `(species, species)`, in Å.
    """
    radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in species])
    shortest = 1.5 * (radii[:, None] + radii)
    reach, index = float(shortest.max()), {symbol: number for number, symbol in enumerate(species)}
    numbers = range(0, len(structures), -(-len(structures) // MOST))
    for number in tqdm(numbers, "distances", unit=" structures", delay=2, leave=False):
        atoms = structures[number]
        try:
            kinds = np.array([index[symbol] for symbol in atoms.symbols])
            i, j, S = kff.data.neighbor_list(atoms, reach)
        except (KeyError, ValueError):
            # An element that is unknown, or a broken structure: `Dataset` says which.
            continue
        r = np.linalg.norm(atoms.positions[j] + S @ atoms.cell[:] - atoms.positions[i], axis=-1)
        np.minimum.at(shortest, (kinds[i], kinds[j]), r)
    return np.minimum(shortest, shortest.T)


def with_core(potential: Potential, settings: Settings, structures: Sequence[ase.Atoms]) -> tuple[Potential, str]:
    """A potential with the core that settings name, or that its training set needs.

    Args:
        potential: The `Potential`.
        settings: Settings, of which `core` and `dtype` count.
        structures: The training set.

    Returns:
        Tuple of the potential, or a `Sum` of it and its core, and a sentence that says why; "" where there is nothing to say.
    """
    if settings.core == "none" or (settings.core == "auto" and not terms_with(potential, Learned)):
        return potential, ""
    species = potential.species
    shortest = closest_pairs(structures, species)
    radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in species])
    ratios = shortest / (radii[:, None] + radii)
    told = ", ".join(
        f"{species[a]}-{species[b]} {shortest[a, b]:.2f} Å ({ratios[a, b]:.2f})"
        for a, b in itertools.combinations_with_replacement(range(len(species)), 2)
    )
    measured = f"the shortest distances of the training set, and their ratios to the sums of covalent radii, are {told}"
    if settings.core == "auto" and (ratios < CLOSE).all():
        return potential, f"None was added: the data show close contacts of all elements; {measured}."
    if settings.core == "morse":
        core = kff.potentials.RepulsiveMorse(species, dtype=settings.dtype)
        return kff.potentials.Sum([potential, core]), f"RepulsiveMorse within {core.cutoff:g} Å, trained along; {measured}."
    core = kff.potentials.ZBL(species, shortest, ONSET, dtype=settings.dtype)
    why = " The data show no close contacts, and a network knows nothing of them (--core none leaves it out)."
    why = "" if settings.core == "zbl" else why
    return kff.potentials.Sum([potential, core]), f"ZBL below the distances of the data; {measured}.{why}"
