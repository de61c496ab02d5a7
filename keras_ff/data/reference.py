"""Reference energies of the species, fitted to the energies and compositions of structures."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.data.label_search import find_labels, normalized
from keras_ff.data.typical_energies import typical_energies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

# Median residuals beyond these, in eV per atom, are larger than chemistry explains: of a fit, and relative to free atoms.
ABSURD_RESIDUAL, ABSURD_BONDS = 2.0, 20.0

# Half of the distance in Å between isolated atoms and their images.
FREE = 4.0


@dataclasses.dataclass
class ReferenceEnergies:
    """Reference energies of the species and the errors of their fit, the result of `fit_reference_energies`.

    Attributes:
        energies: Energy of each species in eV, (species,).
        residuals: Energy of each structure minus the sum of these, in eV per atom, (structures,); NaN without a label.
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
    compositions: np.ndarray,
    energies: np.ndarray,
    species: Sequence[str] | None = None,
    known: Mapping[str, float] | None = None,
) -> ReferenceEnergies:
    """Reference energies: one energy for each species, fitted to the energies of structures by least squares per atom.

    Where the compositions do not determine all of them (H and O in water alone), the solution next to typical energies of these
    elements is taken, as the size of the energies tells them: of free atoms with all their electrons, with their valence electrons,
    or else the same for all elements. It is exact for these structures and arbitrary for other compositions; `undetermined` names
    the combinations of species that it is arbitrary in. A species that never occurs has the energy 0.

    Args:
        compositions: Number of atoms of each species in each structure, (structures, species).
        energies: Energies in eV, (structures,), NaN where missing.
        species: Names of the species for messages; chemical symbols have typical energies.
        known: Dict from names of species to energies in eV that are not fitted, such as those of isolated atoms.

    Returns:
        `ReferenceEnergies`.

    Raises:
        ValueError: If the shapes do not match or no structure has an energy.

    Warns:
        UserWarning: If the residuals are so large that units or levels of theory must be mixed up.

    Example:
        >>> import keras_ff as kff
        >>> reference = kff.data.fit_reference_energies([[2, 1], [4, 2]], [-14.1, -28.2], species=["H", "O"])
        >>> reference.energies.round(3).tolist(), reference.undetermined
        ([-4.7, -4.7], ['1 H - 2 O'])
        >>> kff.data.fit_reference_energies([[2, 1]], [-14.1], ["H", "O"], known={"H": -1.1}).energies.round(3).tolist()
        [-1.1, -11.9]
    """
    compositions = np.asarray(compositions, dtype=np.float64)
    energies = np.asarray(energies, dtype=np.float64).reshape(-1)
    if compositions.ndim != 2 or len(compositions) != len(energies):
        raise ValueError(
            f"compositions are (structures, species), energies (structures,). Received {compositions.shape} and {energies.shape}."
        )
    n_species = compositions.shape[1]
    species = [f"species {number}" for number in range(n_species)] if species is None else list(species)
    labeled = np.isfinite(energies)
    if not labeled.any():
        raise ValueError(
            "No structure has an energy, so no reference energies can be fitted. Set them by hand, or train on forces alone."
        )
    n_atoms = compositions.sum(axis=1)
    fractions, per_atom = compositions[labeled] / n_atoms[labeled, None], energies[labeled] / n_atoms[labeled]
    known = known or {}
    reference = np.array([known.get(symbol, 0.0) for symbol in species])
    free = np.array([symbol not in known for symbol in species])
    # Species that occur; the others keep the energy 0.
    fitted = free & fractions.any(axis=0)
    typical, width = typical_energies(species, fractions, per_atom)
    reference[fitted] = typical[fitted]
    left = per_atom - fractions @ reference
    change, _, rank, _ = np.linalg.lstsq(fractions[:, fitted] * width[fitted], left, rcond=1e-8)
    reference[fitted] += width[fitted] * change
    residuals = np.full(len(energies), np.nan)
    residuals[labeled] = per_atom - fractions @ reference
    names = [symbol for symbol, one in zip(species, free, strict=True) if one]
    _doubt(residuals, bool(known))
    return ReferenceEnergies(reference, residuals, _open_combinations(fractions[:, free], rank, names))


def _doubt(residuals, known):
    """Warn of residuals beyond what chemistry explains: those of a fit, or the energies of bonds relative to known atoms."""
    typical = float(np.nanmedian(np.abs(residuals)))
    if known and typical > ABSURD_BONDS:
        warnings.warn(
            f"Relative to the reference energies, half of the structures are at more than {typical:.3g} eV/atom. Are both from the "
            "same program and settings, in eV?",
            stacklevel=3,
        )
    elif not known and typical > ABSURD_RESIDUAL:
        warnings.warn(
            f"After the fit of reference energies, half of the structures are more than {typical:.2f} eV/atom away. Are "
            "these total energies in eV (not per atom, not in Hartree), all from the same settings?",
            stacklevel=3,
        )


def is_isolated(atoms: Atoms, cutoff: float = FREE) -> bool:
    """Whether a structure is an isolated atom: a single one, whose images are further away than twice a cutoff, if it has any.

    Args:
        atoms: The structure, an `ase.Atoms`.
        cutoff: Radius in Å beyond which atoms are not neighbors; a small one where no model is known.

    Example:
        >>> from ase import Atoms
        >>> from keras_ff.data.reference import is_isolated
        >>> [is_isolated(Atoms("O", cell=[width] * 3, pbc=True), cutoff=5.0) for width in (9.0, 12.0)]
        [False, True]
    """
    if len(atoms) != 1:
        return False
    repeats = atoms.pbc & atoms.cell.any(1)
    return bool((atoms.cell.complete().reciprocal().lengths()[repeats] * 2.0 * cutoff < 1.0).all())


def known_energies(
    rule: Mapping[str, float] | str | None, isolated: Mapping[str, float], species: Sequence[str]
) -> dict[str, float]:
    """Reference energies that are not fitted.

    Args:
        rule: Dict from chemical symbol to energy in eV; "fit": none is known; "isolated": those of the isolated atoms of the data,
            which must have all elements; None: those of the isolated atoms, as far as there are any.
        isolated: Dict from chemical symbol to the energy of the isolated atom of the data in eV.
        species: Chemical symbols.

    Returns:
        Dict from chemical symbols of the species to energies in eV.

    Raises:
        ValueError: If the rule is another one, a species has no energy, or an energy is no finite number.

    Example:
        >>> from keras_ff.data.reference import known_energies
        >>> known_energies(None, {"O": -1.9}, ["H", "O"])
        {'O': -1.9}
    """
    if isinstance(rule, Mapping):
        wrong = {symbol: value for symbol, value in rule.items() if not (isinstance(value, Real) and np.isfinite(value))}
        missing = [symbol for symbol in species if symbol not in rule]
        if missing or wrong:
            raise ValueError(
                f"Reference energies are finite numbers in eV, one for each of {list(species)}. Received {dict(rule)}"
                + (f": there is none of {', '.join(missing)}." if missing else ".")
            )
        return {symbol: float(rule[symbol]) for symbol in species}
    if rule not in ("fit", "isolated", None):
        raise ValueError(
            'Reference energies are a dict from chemical symbol to eV, "fit", "isolated", or None for those of the isolated atoms '
            f"that the data have. Received reference_energies={rule!r}."
        )
    missing = [symbol for symbol in species if symbol not in isolated]
    if rule == "isolated" and missing:
        raise ValueError(
            f"The data have no isolated atom of {', '.join(missing)}: a structure of one atom with an energy, without pbc or in a "
            "cell wider than twice the cutoff. Add them, give reference energies by number, or fit them with "
            'reference_energies="fit".'
        )
    return {} if rule == "fit" else {symbol: isolated[symbol] for symbol in species if symbol in isolated}


def arbitrary(undetermined: Sequence[str]) -> str:
    """Sentences that say which energies data leave open, and what helps.

    Args:
        undetermined: Combinations of elements, as `ReferenceEnergies` has them.

    Example:
        >>> from keras_ff.data.reference import arbitrary
        >>> arbitrary(["1 H - 2 O"]).partition(",")[0]
        'The data do not tell how energy is divided between the atoms of H and O (open: 1 H - 2 O)'
    """
    symbols = list(dict.fromkeys(word for text in undetermined for word in text.split() if word[0].isalpha()))
    shown = ", ".join(undetermined[:3]) + (f" and {len(undetermined) - 3} more" if len(undetermined) > 3 else "")
    return (
        f"The data do not tell how energy is divided between the atoms of {', '.join(symbols[:-1])} and {symbols[-1]} (open: "
        f"{shown}), and typical values were taken. Energies are right for the compositions of the data; those of other "
        "compositions, of reactions that lead to them, of fragments and of single atoms are arbitrary. Add structures of other "
        "compositions or isolated atoms, or give reference energies."
    )


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
