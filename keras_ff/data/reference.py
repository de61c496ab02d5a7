"""Reference energies of the species, fitted to the energies and compositions of structures."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.data.label_search import find_labels, normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ase import Atoms

# A median residual beyond this, in eV per atom, is larger than chemistry explains.
ABSURD_RESIDUAL = 2.0


@dataclasses.dataclass
class ReferenceEnergies:
    """Reference energies of the species and the errors of their fit, the result of `fit_reference_energies`.

    Attributes:
        energies: Energy of each species in eV, (species,).
        residuals: Energy of each structure minus its fitted value, in eV per atom, (structures,); NaN without a label.
        undetermined: List of the combinations of species whose energy the data do not determine, as text.

    Example:
        >>> import keras_ff as kff
        >>> reference = kff.data.fit_reference_energies([[2], [4]], [-10.0, -22.0])
        >>> reference.energies.round(2).tolist(), round(reference.rms, 2)
        ([-5.25], 0.25)
    """

    energies: np.ndarray
    residuals: np.ndarray
    undetermined: list

    @property
    def rms(self) -> float:
        """Root mean square of the residuals in eV per atom."""
        return float(np.sqrt(np.nanmean(self.residuals**2)))


def fit_reference_energies(
    compositions: np.ndarray, energies: np.ndarray, species: Sequence[str] | None = None
) -> ReferenceEnergies:
    """Reference energies: one energy for each species, fitted to the energies of structures by least squares per atom.

    Where the compositions do not determine all of them (a species that never occurs, or H and O in water alone), the solution of
    least norm is taken. It is exact for these structures and arbitrary for other compositions; `undetermined` names the
    combinations of species that it is arbitrary in.

    Args:
        compositions: Number of atoms of each species in each structure, (structures, species).
        energies: Energies in eV, (structures,), NaN where missing.
        species: Names of the species for messages.

    Returns:
        `ReferenceEnergies`.

    Raises:
        ValueError: If the shapes do not match or no structure has an energy.

    Warns:
        UserWarning: If the residuals are so large that units or levels of theory must be mixed up.

    Example:
        >>> import keras_ff as kff
        >>> reference = kff.data.fit_reference_energies([[2, 1], [4, 2]], [-14.0, -28.0], species=["H", "O"])
        >>> reference.energies.round(3).tolist(), reference.undetermined
        ([-5.6, -2.8], ['1 H - 2 O'])
    """
    compositions = np.asarray(compositions, dtype=np.float64)
    energies = np.asarray(energies, dtype=np.float64).reshape(-1)
    if compositions.ndim != 2 or len(compositions) != len(energies):
        raise ValueError(
            f"compositions are (structures, species), energies (structures,). Received {compositions.shape} and {energies.shape}."
        )
    n_species = compositions.shape[1]
    species = [f"species {number}" for number in range(n_species)] if species is None else list(species)
    known = np.isfinite(energies)
    if not known.any():
        raise ValueError(
            "No structure has an energy, so no reference energies can be fitted. Set them by hand, or train on forces alone."
        )
    n_atoms = compositions.sum(axis=1)
    fractions = compositions[known] / n_atoms[known, None]
    reference, _, rank, _ = np.linalg.lstsq(fractions, energies[known] / n_atoms[known], rcond=1e-8)
    residuals = np.full(len(energies), np.nan)
    residuals[known] = energies[known] / n_atoms[known] - fractions @ reference
    result = ReferenceEnergies(reference, residuals, _open_combinations(fractions, rank, species))
    typical = float(np.nanmedian(np.abs(residuals)))
    if typical > ABSURD_RESIDUAL:
        warnings.warn(
            f"After the fit of reference energies, half of the structures are more than {typical:.2f} eV/atom away. Are "
            "these total energies in eV (not per atom, not in Hartree), all from the same settings?",
            stacklevel=2,
        )
    return result


def subtract_reference_energies(structures: Iterable[Atoms], reference: Mapping[str, float]) -> list[Atoms]:
    """Copies of structures whose energies are relative to reference energies of their atoms.

    Total energies of all-electron codes need it: they are so large that their differences are lost in single precision.

    Args:
        structures: List of `ase.Atoms`.
        reference: Dict from chemical symbol to reference energy in eV.

    Returns:
        List of the copies. Structures without an energy are copied as they are.

    Raises:
        ValueError: If an element has no reference energy.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> dimer = Atoms("H2", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]], info={"energy": -31.75})
        >>> kff.data.subtract_reference_energies([dimer], {"H": -13.5})[0].get_potential_energy()
        -4.75
    """
    shifted = []
    for index, atoms in enumerate(structures):
        if missing := sorted(set(atoms.symbols) - set(reference)):
            raise ValueError(
                f"Structure {index} ({atoms.get_chemical_formula()}) has elements without a reference energy: {missing}."
            )
        labels, names, _ = find_labels(atoms)
        if "energy" in labels:
            labels["energy"] -= sum(reference[symbol] for symbol in atoms.symbols)
        shifted.append(normalized(atoms, labels, names))
    return shifted


def _open_combinations(fractions, rank, species):
    """Basis of the combinations of species whose energy no composition determines, as text."""
    _, _, rows = np.linalg.svd(fractions, full_matrices=True)
    basis = rows[rank:].copy()
    # Reduced row echelon form: each row starts with 1 and no other row has that species.
    pivots = []
    for column in range(basis.shape[1]):
        row = len(pivots)
        if row == len(basis):
            break
        best = row + int(np.abs(basis[row:, column]).argmax())
        if abs(basis[best, column]) < 1e-6:
            continue
        basis[[row, best]] = basis[[best, row]]
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= basis[others, column, None] * basis[row]
        pivots.append(column)
    return [_combination(row, species) for row in basis]


def _combination(row, species):
    text = ""
    for coefficient, name in zip(row, species, strict=True):
        if abs(coefficient) > 1e-6:
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += f" {sign} {abs(coefficient):.4g} {name}" if text else f"{sign}{abs(coefficient):.4g} {name}"
    return text
