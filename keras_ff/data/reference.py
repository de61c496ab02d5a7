"""Energies of the free atoms, fitted to the composition of structures."""

import dataclasses
import warnings

import numpy as np

from keras_ff.data.labels import find_labels, normalized

# A median residual beyond this, in eV per atom, is no chemistry.
ABSURD_RESIDUAL = 2.0


@dataclasses.dataclass
class ReferenceEnergies:
    """Result of `fit_reference_energies`.

    Attributes:
        energies: Energy of each species in eV, (species,).
        residuals: What the fit leaves of the energy of each structure, in eV per atom, (structures,); NaN without a label.
        undetermined: Combinations of species that the data leaves open, as text.
    """

    energies: np.ndarray
    residuals: np.ndarray
    undetermined: list

    @property
    def rms(self):
        """Root mean square of the residuals in eV per atom."""
        return float(np.sqrt(np.nanmean(self.residuals**2)))


def fit_reference_energies(compositions, energies, species=None):
    """One energy per species whose sum over the atoms comes closest to the energies, in the least squares of energies per atom.

    Where the compositions do not determine all of them (a species that never occurs, H and O in water alone), the solution of least
    norm is taken. This is exact for the data at hand, yet arbitrary for other compositions, and `undetermined` names what is open.

    Args:
        compositions: Number of atoms of each species, (structures, species).
        energies: Energies in eV, (structures,), NaN where missing.
        species: Names of the species for messages.

    Returns:
        `ReferenceEnergies`.

    Raises:
        ValueError: If the shapes do not match or no structure has an energy.

    Warns:
        If the residual is so large that units or levels of theory must be mixed up.

    Example:
        >>> found = fit_reference_energies([[2, 1], [4, 2]], [-14.0, -28.0], species=["H", "O"])
        >>> found.energies.round(3).tolist(), found.undetermined
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


def subtract_reference_energies(structures, reference):
    """Copies of the structures with energies relative to `reference`.

    For total energies of all-electron codes, which are too large to be told apart in single precision.

    Args:
        structures: List of `ase.Atoms`.
        reference: Dictionary from chemical symbol to energy in eV.

    Raises:
        ValueError: If an element has no reference energy.
    """
    shifted = []
    for index, atoms in enumerate(structures):
        if missing := sorted(set(atoms.symbols) - set(reference)):
            raise ValueError(
                f"Structure {index} ({atoms.get_chemical_formula()}) has elements without a reference energy: {missing}."
            )
        found, names, _ = find_labels(atoms)
        if "energy" in found:
            found["energy"] -= sum(reference[symbol] for symbol in atoms.symbols)
        shifted.append(normalized(atoms, found, names))
    return shifted


def _open_combinations(fractions, rank, species):
    """Readable basis of the combinations of species that no composition sees."""
    _, _, rows = np.linalg.svd(fractions, full_matrices=True)
    basis = rows[rank:].copy()
    # Reduced row echelon form: each row starts with 1 and no other row has that species.
    pivots = []
    for column in range(basis.shape[1]):
        place = len(pivots)
        if place == len(basis):
            break
        best = place + int(np.abs(basis[place:, column]).argmax())
        if abs(basis[best, column]) < 1e-6:
            continue
        basis[[place, best]] = basis[[best, place]]
        basis[place] /= basis[place, column]
        others = np.arange(len(basis)) != place
        basis[others] -= basis[others, column, None] * basis[place]
        pivots.append(column)
    return [_combination(row, species) for row in basis]


def _combination(row, species):
    text = ""
    for coefficient, name in zip(row, species, strict=True):
        if abs(coefficient) > 1e-6:
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += f" {sign} {abs(coefficient):.4g} {name}" if text else f"{sign}{abs(coefficient):.4g} {name}"
    return text
