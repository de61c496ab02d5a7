"""Statistics of what is left to learn from a data set."""

import numpy as np

from keras_ff.data.reference import fit_reference_energies
from keras_ff.models.mapping import mapped


class Summary:
    """Statistics of the labels of a data set minus the prediction of a model, as far as `ForceField.adapt` needs them.

    Args:
        fixed: `ForceField`, or None where nothing is subtracted.
        n_species: Number of species.
    """

    def __init__(self, fixed, n_species):
        self.fixed, self.n_species = fixed, n_species
        self.energies, self.compositions = [], []
        self.squares, self.count = np.zeros(n_species), np.zeros(n_species)

    def of(self, dataset):
        """Look at all structures of a `keras_ff.data.Dataset`; returns the summary itself."""

        def rows(batch, labels):
            known = {name: labels[name] for name in ("energy", "forces")}
            if self.fixed:
                outputs = self.fixed(batch)
                known |= {f"fixed_{name}": outputs[name] for name in ("energy", "forces")}
            return {**known, "species": batch["species"]}

        for _, row in mapped(self.fixed, rows, dataset, ("species", "forces", "fixed_forces"), "labels"):
            self.add(**row)
        return self

    def add(self, species, energy, forces, fixed_energy=0.0, fixed_forces=0.0):
        """Take one structure with species `(atoms,)`, labels `(1,)` and `(atoms, 3)`, and what the model gives for them."""
        # Differences of float32 numbers, in float64.
        energy, forces = energy.astype("float64") - fixed_energy, forces.astype("float64") - fixed_forces
        known = np.isfinite(forces).all(axis=-1)
        kinds = species[known]
        self.squares += np.bincount(kinds, (forces[known] ** 2).sum(axis=-1), minlength=self.n_species)
        self.count += np.bincount(kinds, minlength=self.n_species) * 3
        if np.isfinite(energy[0]):
            self.energies.append(energy[0])
            self.compositions.append(np.bincount(species, minlength=self.n_species))

    def reference_energies(self, species):
        return fit_reference_energies(self.compositions, self.energies, species).energies

    def force_scales(self):
        """Of the forces on each species, of all forces where one has none; of the energies per atom over 1 Å without forces."""
        if self.count.any():
            total = self.squares.sum() / self.count.sum()
            squares = np.where(self.count > 0, self.squares / np.maximum(self.count, 1), total)
        else:
            squares = np.full(self.n_species, np.var(np.array(self.energies) / np.sum(self.compositions, axis=1)))
        return np.maximum(np.sqrt(squares), 1e-3)
