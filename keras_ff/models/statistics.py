"""What a model learns from a data set before it is trained."""

import numpy as np

from keras_ff import backend
from keras_ff.data.reference import fit_reference_energies
from keras_ff.geometry import Neighborhood


class Summary:
    """Labels of a data set minus the prediction of a model, as far as `ForceField.adapt` needs them.

    Args:
        fixed: `ForceField`, or None where nothing is subtracted.
        n_species: Number of species.
    """

    def __init__(self, fixed, n_species):
        self.predict = backend.jit(fixed, layer=fixed) if fixed else None
        self.n_species = n_species
        self.energies, self.compositions = [], []
        self.squares, self.count = np.zeros(n_species), np.zeros(n_species)

    def add(self, batch, labels):
        energy, forces = labels["energy"][:, 0].astype("float64"), labels["forces"].astype("float64")
        if self.predict:
            fixed = self.predict(batch)
            energy, forces = energy - np.asarray(fixed["energy"])[:, 0], forces - np.asarray(fixed["forces"])
        known = np.isfinite(forces).all(axis=-1) & (batch["species"] >= 0)
        kinds = batch["species"][known]
        self.squares += np.bincount(kinds, (forces[known] ** 2).sum(axis=-1), minlength=self.n_species)
        self.count += np.bincount(kinds, minlength=self.n_species) * 3
        for value, species in zip(energy, batch["species"]):
            if np.isfinite(value):
                self.energies.append(value)
                self.compositions.append(np.bincount(species[species >= 0], minlength=self.n_species))

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


def features_of(model, terms):
    """Compiled function from a batch to what each term sees of it."""

    def features(batch):
        vectors, is_neighbor, center, others = model.pairs(batch)
        neighborhood = Neighborhood(vectors, is_neighbor, center, others, model.cutoff)
        return [term.describe(neighborhood.within(term.cutoff)) for term in terms]

    return backend.jit(features, layer=model)
