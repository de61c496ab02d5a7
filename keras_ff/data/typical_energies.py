"""Typical energies of free atoms, for what the energies of structures leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

RYDBERG = 13.605693

# Subshells (n, l) in the order in which they are filled.
ORDER = sorted(((n, l) for n in range(1, 8) for l in range(min(n, 4))), key=lambda shell: (sum(shell), shell[0]))

# Effective principal quantum numbers of Slater.
EFFECTIVE = {1: 1.0, 2: 2.0, 3: 3.0, 4: 3.7, 5: 4.0, 6: 4.2, 7: 4.3}

# Energies within this fraction of those of Slater are of their kind.
RECOGNIZED = 0.15

# Energy of an atom in its bonds in eV, and relative error of the rules.
BOND, ERROR = 5.0, 0.005


def slater_energy(number: int, valence: bool = False) -> float:
    """Energy of a free atom in eV by Slater's rules, relative to its nucleus and electrons at rest, far apart.

    For all electrons it is right to 2 % up to krypton; for the valence electrons, relative to the ion without them,
    it is a rough one. Valence electrons are those of the outermost s and p subshells and of the subshell that was filled last.

    Args:
        number: Atomic number.
        valence: Whether the energy is that of the valence electrons.

    Example:
        >>> from keras_ff.data.typical_energies import slater_energy
        >>> [round(slater_energy(8, valence)) for valence in (False, True)]
        [-2036, -423]

    Reference:
        Slater, Phys. Rev. 36, 57 (1930).
    """
    # Electrons of each group of subshells, (n, 0) for s and p.
    groups, left, last = {}, number, (1, 0)
    for n, l in ORDER:
        if left > 0:
            last = (n, l if l > 1 else 0)
            groups[last] = groups.get(last, 0) + min(left, 4 * l + 2)
            left -= min(left, 4 * l + 2)
    outermost = (max(n for n, _ in groups), 0)
    return -RYDBERG * sum(
        count * ((number - _screening(group, groups)) / EFFECTIVE[group[0]]) ** 2
        for group, count in groups.items()
        if not valence or group in (outermost, last)
    )


def _screening(group, groups):
    """Charge by which the other electrons screen the nucleus for an electron of a group."""
    n, l = group
    total = (0.30 if n == 1 else 0.35) * (groups[group] - 1)
    for (other_n, other_l), count in groups.items():
        if (other_n, other_l) < group:
            total += count * (0.85 if not l and other_n == n - 1 else 1.0)
    return total


def typical_energies(species: Sequence[str], fractions: np.ndarray, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energies of elements to expect in the data of one program, and how far they may be off.

    Programs differ in the zero of their energies: nuclei and electrons, ions and valence electrons, or free atoms or the like, as
    VASP. The first two are recognized by their size; for others all elements have the mean energy per atom of the data.

    Args:
        species: Chemical symbols.
        fractions: Fraction of the atoms that each element is in each structure, `(structures, species)`.
        energies: Energies per atom in eV, `(structures,)`.

    Returns:
        Tuple of energies and their uncertainties in eV, each `(species,)`.

    Example:
        >>> import numpy as np
        >>> from keras_ff.data.typical_energies import typical_energies
        >>> water = np.array([[2 / 3, 1 / 3]])
        >>> [typical_energies(["H", "O"], water, np.array([energy / 3]))[0].round(1).tolist() for energy in (-14.1, -2080.0)]
        [[-4.7, -4.7], [-13.6, -2035.9]]
    """
    numbers = [atomic_numbers.get(symbol, 0) for symbol in species]
    for valence in (False, True) if all(numbers) else ():
        values = np.array([slater_energy(number, valence) for number in numbers])
        missing = energies - fractions @ values
        if np.linalg.norm(missing) < RECOGNIZED * np.linalg.norm(energies):
            return values, np.hypot(BOND, ERROR * values)
    return np.full(len(numbers), np.mean(energies)), np.full(len(numbers), BOND)
