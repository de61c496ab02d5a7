"""Statistics of the labels of a data set that `ForceField.adapt` needs."""

import numpy as np

from keras_ff.data.reference import ReferenceEnergies, fit_reference_energies, is_isolated
from keras_ff.models.mapping import mapped


class Summary:
    """Statistics of the energies and forces of a data set, minus the predictions of a model, for `ForceField.adapt`.

    Args:
        fixed: `ForceField` whose predictions are subtracted, or None for none.
        n_species: Number of species.

    Example:
        >>> import numpy as np
        >>> from keras_ff.models.statistics import Summary
        >>> summary = Summary(None, n_species=1)
        >>> summary.add(species=np.array([0]), energy=np.array([-3.0]), forces=np.array([[0.1, 0.2, -0.2]]))
        >>> summary.force_scales().round(4).tolist()
        [0.1732]
    """

    def __init__(self, fixed, n_species):
        self.fixed, self.n_species = fixed, n_species
        self.energies, self.compositions, self.isolated = [], [], []
        self.squares, self.count = np.zeros(n_species), np.zeros(n_species)

    def of(self, dataset):
        """Add all structures of a `keras_ff.data.Dataset`, and return the summary itself."""

        def rows(batch, labels):
            known = {name: labels[name] for name in ("energy", "forces")}
            if self.fixed:
                outputs = self.fixed(batch)
                known |= {f"fixed_{name}": outputs[name] for name in ("energy", "forces")}
            return {**known, "species": batch["species"]}

        single = np.flatnonzero((dataset.n_atoms == 1) & (dataset.n_pairs == 0)).tolist()
        isolated = {index for index in single if is_isolated(dataset.structures[index], dataset.cutoff)}
        for index, row in mapped(self.fixed, rows, dataset, ("species", "forces", "fixed_forces"), "labels"):
            self.add(**row, isolated=index in isolated)
        return self

    def add(self, species, energy, forces, fixed_energy=0.0, fixed_forces=0.0, isolated=False):
        """Add one structure.

        Args:
            species: int `(atoms,)`.
            energy: Label in eV, `(1,)`; NaN if there is none.
            forces: Labels in eV/Å, `(atoms, 3)`; NaN if there are none.
            fixed_energy: Prediction to subtract, `(1,)`.
            fixed_forces: Prediction to subtract, `(atoms, 3)`.
            isolated: Whether it is an isolated atom.
        """
        # Differences of float32 numbers, in float64.
        energy, forces = energy.astype("float64") - fixed_energy, forces.astype("float64") - fixed_forces
        known = np.isfinite(forces).all(axis=-1)
        kinds = species[known]
        self.squares += np.bincount(kinds, (forces[known] ** 2).sum(axis=-1), minlength=self.n_species)
        self.count += np.bincount(kinds, minlength=self.n_species) * 3
        if np.isfinite(energy[0]):
            self.energies.append(energy[0])
            self.compositions.append(np.bincount(species, minlength=self.n_species))
            self.isolated.append(isolated)

    def isolated_energies(self, species):
        """Return a dict from symbols of species to the energies of their isolated atoms in eV, the lowest where there are more."""
        lowest = {}
        for energy, row, isolated in zip(self.energies, self.compositions, self.isolated, strict=True):
            if isolated:
                symbol = species[int(row.argmax())]
                lowest[symbol] = min(float(energy), lowest.get(symbol, np.inf))
        return lowest

    def reference_energies(self, species, known=None):
        """Return `ReferenceEnergies` of species, given by their symbols; those in `known` (eV) are not fitted.

        Isolated atoms of known species are no part of the fit.
        """
        known = known or {}
        part = [not (alone and species[int(row.argmax())] in known) for row, alone in zip(self.compositions, self.isolated)]
        if not any(part):
            return ReferenceEnergies(np.array([known.get(symbol, 0.0) for symbol in species]), np.zeros(0), [])
        return fit_reference_energies(np.array(self.compositions)[part], np.array(self.energies)[part], species, known)

    def force_scales(self):
        """Return the root mean square of the force components for each species in eV/Å, `(species,)`.

        A species without forces has that of all forces; without any forces it is the standard deviation of the energies per atom
        divided by 1 Å.
        """
        if self.count.any():
            total = self.squares.sum() / self.count.sum()
            squares = np.where(self.count > 0, self.squares / np.maximum(self.count, 1), total)
        else:
            squares = np.full(self.n_species, np.var(np.array(self.energies) / np.sum(self.compositions, axis=1)))
        return np.maximum(np.sqrt(squares), 1e-3)
