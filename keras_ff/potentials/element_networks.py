"""Potential with spline filters that elements share, and one network for each element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.layers.atomic_networks import LinearPlusMLP
from keras_ff.layers.spline_filters import SplineFilters
from keras_ff.potentials.base import Potential
from keras_ff.potentials.contradictions import refuse_contradictions
from keras_ff.potentials.decorrelation import decorrelation
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.with_splines import WithSplines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


@keras.saving.register_keras_serializable("keras_ff")
class ElementNetworks(Learned, WithSplines, Potential):
    """Potential with one network for each element, all fed by the same spline filters (s-NNP with shared filters).

        E_i = energy_scale_e * (slope_e * network_e(G_i) + intercept_e),   e the element of atom i

    with the features G of `SplineFilters`. Trained together on the data of several materials, the filters become a description of
    environments that fits all of them. The filters can then serve for a new material, whose network alone is trained:

        potential.filters.trainable = False
        germanium = SplineNetwork(["Ge"], filters=potential.filters.for_species(1))

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å of the pair filters; 4.5 by default.
        triplet_cutoff: Radius in Å of the triplet filters; by default the cutoff.
        filters: `SplineFilters` in place of those that `cutoff` and `triplet_cutoff` give.
        units: Widths of the hidden layers of each network.
        seed: Seed of the initial weights; the network of the element e has the seed `seed + e`.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If the filters are made for another number of species, or come together with a cutoff.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.ElementNetworks(["Si", "Ge"], cutoff=5.0)
        >>> len(potential.networks), potential.filters.n_features
        (2, 155)

    Reference:
        Vita and Trinkle, Comput. Mater. Sci. 232, 112655 (2024).
    """

    def __init__(
        self,
        species: str | Sequence[str],
        cutoff: float | None = None,
        triplet_cutoff: float | None = None,
        filters: SplineFilters | None = None,
        units: Sequence[int] = (16, 16),
        seed: int = 0,
        **kwargs,
    ):
        refuse_contradictions("filters", filters, cutoff=cutoff, triplet_cutoff=triplet_cutoff)
        species = [species] if isinstance(species, str) else list(species)
        if filters is None:
            cutoff = 4.5 if cutoff is None else cutoff
            filters = SplineFilters(cutoff, len(species), triplet_cutoff=triplet_cutoff, dtype=kwargs.get("dtype"))
        if filters.n_species != len(species):
            raise ValueError(f"The filters are made for {filters.n_species} species. Received species={species}.")
        super().__init__(species, filters.cutoff, **kwargs)
        self.filters, self.units, self.seed = filters, tuple(units), seed
        count, features = len(species), filters.n_features
        self.networks = [LinearPlusMLP(features, self.units, seed + index, dtype=self.dtype_policy) for index in range(count)]
        self.feature_mean = self.add_parameter("feature_mean", np.zeros((count, features)), trainable=False)
        self.projection = self.add_parameter("projection", np.tile(np.eye(features), (count, 1, 1)), trainable=False)
        self.energy_scale = self.add_parameter("energy_scale", np.ones(count), trainable=False)
        self.slope = self.add_parameter("slope", np.ones(count))
        self.intercept = self.add_parameter("intercept", np.zeros(count))

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        features = self.filters(neighborhood)
        total = 0.0
        for element, network in enumerate(self.networks):
            energies = network(features - self.feature_mean[element], projection=self.projection[element])
            energies = self.energy_scale[element] * (self.slope[element] * energies + self.intercept[element])
            total = total + ops.where(neighborhood.center_species == element, energies, 0.0)
        return total

    def intermediates(self, neighbors: int) -> int:
        """Return the size of intermediate results of the filters; see `Potential.intermediates`."""
        return self.filters.intermediates(neighbors)

    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the arguments of the radial functions; see `WithSplines.spline_arguments`."""
        return self.filters.spline_arguments(neighborhood)

    def describe(self, neighborhood: Neighborhood):
        """Compute the features of the filters, `(atoms, features)`, from a `Neighborhood`."""
        return self.filters(neighborhood)

    def adapt(self, features, species, force_scales):
        """Set mean and projection of the features of each element (see `decorrelation`) and the scale of its energies.

        Args:
            features: Features of atoms of the training set, NumPy `(samples, features)`.
            species: int `(samples,)`, species of these atoms.
            force_scales: Root mean square of the force components for each species in eV/Å, `(species,)`.
        """
        means, matrices = ops.convert_to_numpy(self.feature_mean).copy(), ops.convert_to_numpy(self.projection).copy()
        for element in np.unique(species):
            means[element], matrices[element] = decorrelation(features[species == element], self.filters.groups)
        self.feature_mean.assign(means)
        self.projection.assign(matrices)
        self.energy_scale.assign(force_scales)

    def shift(self, energy: float) -> None:
        """Add a constant to the energy of every atom; see `Learned.shift`."""
        self.intercept.assign(ops.convert_to_numpy(self.intercept.value) + energy / ops.convert_to_numpy(self.energy_scale.value))

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        config = super().get_config()
        del config["cutoff"]
        return {**config, "filters": keras.saving.serialize_keras_object(self.filters), "units": self.units, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict):
        """Make the potential from what `get_config` returned."""
        return cls(**{**config, "filters": keras.saving.deserialize_keras_object(config["filters"])})
