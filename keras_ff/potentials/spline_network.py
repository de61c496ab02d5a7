"""Potentials with spline filters and a network (s-NNP), and a pair potential of splines to add to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import not_negative, whole
from keras_ff.layers.cutoffs import polynomial_cutoff
from keras_ff.layers.spline_filters import SplineFilters
from keras_ff.layers.splines import CubicSpline
from keras_ff.potentials.base import Potential
from keras_ff.potentials.contradictions import refuse_contradictions
from keras_ff.potentials.descriptor_network import DescriptorNetwork
from keras_ff.potentials.sum import Sum
from keras_ff.potentials.with_splines import WithSplines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


@keras.saving.register_keras_serializable("keras_ff")
class SplineNetwork(WithSplines, DescriptorNetwork):
    """Spline-based neural network potential (s-NNP): a network fed by trainable spline filters of the neighbor density.

        E_i = energy_scale * (slope * network(G_i, embedding_i) + intercept)

    with the features G of `SplineFilters`. In place of the embedding function of s-MEAM is a network of any size, and in place of
    its one density are several; with `units=()` the embedding is linear. Each modification is one line:

    * `Sum([SplineNetwork(["Si"], cutoff=4.0), PairSpline(["Si"], cutoff=6.0)])`: a network within 4 Å, a pair potential beyond.
    * `Sum([SplineNetwork(["Si"]), ZBL(["Si"])])`: repels at short range, where the features are bounded, with any network.
    * `SplineNetwork(["Si"], filters=SplineFilters(4.5, roughness=1e-6))`: a penalty for the curvature of the filters.
    * `SplineNetwork(["Si"], filters=SplineFilters(4.5, triplets=6, degree=None))`: splines of the angle, as in the paper.
    * `SplineNetwork.on_top_of(potential)`: starts from the energies of another potential, such as a fitted s-MEAM.

    Energies end smoothly at the cutoff in any case.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å of the pair filters; 4.5 by default.
        triplet_cutoff: Radius in Å of the triplet filters; by default the cutoff.
        filters: `SplineFilters` in place of those that `cutoff` and `triplet_cutoff` give.
        kwargs: Arguments of `DescriptorNetwork`: `network`, or `units` and `members` of the default one, `embedding`, `seed`, and
            `learned_noise`. The members of a committee share the filters.

    Raises:
        ValueError: If filters, network and species do not fit together, or arguments contradict each other: filters have radii of
            their own, and a network its own units and members.

    Example:
        >>> import keras_ff as kff
        >>> model = kff.ForceField(kff.potentials.SplineNetwork(["Si"], cutoff=4.5))
        >>> model.cutoff, model.potential.filters.n_features
        (4.5, 155)

    Reference:
        Vita and Trinkle, Comput. Mater. Sci. 232, 112655 (2024).
    """

    DESCRIPTOR = "filters"

    def __init__(
        self,
        species: str | Sequence[str],
        cutoff: float | None = None,
        triplet_cutoff: float | None = None,
        filters: SplineFilters | None = None,
        **kwargs,
    ):
        refuse_contradictions("filters", filters, cutoff=cutoff, triplet_cutoff=triplet_cutoff)
        if filters is None:
            cutoff, n_species = 4.5 if cutoff is None else cutoff, 1 if isinstance(species, str) else len(species)
            filters = SplineFilters(cutoff, n_species, triplet_cutoff=triplet_cutoff, dtype=kwargs.get("dtype"))
        super().__init__(species, filters, **kwargs)

    @classmethod
    def on_top_of(cls, potential: Potential, **kwargs) -> Sum:
        """Make the `Sum` of a potential and a spline network for the same species, which adds nothing until it is trained.

        With a fitted `SplineMEAM` the result is an s-NNP that starts from the energies of s-MEAM.

        Args:
            potential: Any `Potential`; it is trained along, unless its `trainable` is False.
            kwargs: Arguments of `SplineNetwork` other than the species.

        Example:
            >>> import keras_ff as kff
            >>> potential = kff.potentials.SplineNetwork.on_top_of(kff.potentials.StillingerWeber.silicon())
            >>> [type(term).__name__ for term in potential.terms()]
            ['StillingerWeber', 'SplineNetwork']
        """
        network = cls(potential.species, **kwargs)
        network.slope.assign(0.0)
        return Sum([potential, network])

    @property
    def filters(self) -> SplineFilters:
        """The `SplineFilters` that the network reads."""
        return self.descriptor

    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the arguments of the radial functions; see `WithSplines.spline_arguments`."""
        return self.filters.spline_arguments(neighborhood)


@keras.saving.register_keras_serializable("keras_ff")
class PairSpline(WithSplines, Potential):
    """Pair potential with a cubic spline for each pair of elements.

        E = sum_{i<j} phi(r_ij) fc(r_ij)

    with fc = `polynomial_cutoff`. phi is 0 at the start of a training; below its first knot it is a straight line.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å.
        shortest: Distance of the first knot in Å.
        knots: Number of knots.
        roughness: Strength of the penalty for curvature, see `keras_ff.layers.Roughness`.
        kwargs: Arguments of Keras layers.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.PairSpline(["Si", "O"], cutoff=6.0, knots=11)
        >>> tuple(potential.phi.values.shape)  # knots, and pairs Si-Si, Si-O, O-O
        (11, 3)
    """

    def __init__(
        self,
        species: str | Sequence[str],
        cutoff: float = 5.0,
        shortest: float = 1.0,
        knots: int = 12,
        roughness: float = 0.0,
        **kwargs,
    ):
        super().__init__(species, cutoff, **kwargs)
        self.shortest, self.knots = not_negative("shortest", shortest), whole("knots", knots, 2)
        self.roughness = not_negative("roughness", roughness)
        count = len(self.species)
        first, second = np.triu_indices(count)
        # Index of the spline of the pair (i, j), which is that of (j, i).
        self.pair = np.zeros((count, count), "int32")
        self.pair[first, second] = self.pair[second, first] = np.arange(len(first))
        start = np.zeros((self.knots, len(first)))
        self.phi = CubicSpline(self.shortest, self.cutoff, start, roughness=self.roughness, dtype=self.dtype_policy, name="phi")

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        r = neighborhood.distances
        kinds = neighborhood.center_species[:, None] * len(self.species) + neighborhood.neighbor_species
        which = ops.take(ops.convert_to_tensor(self.pair.ravel()), kinds)
        pairs = self.phi(r, which=which) * polynomial_cutoff(r, self.cutoff) * neighborhood.mask
        return 0.5 * ops.sum(pairs, axis=-1)

    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the distances, at which all functions phi are evaluated; see `WithSplines.spline_arguments`."""
        return {"phi": (self.phi, neighborhood.distances, neighborhood.is_neighbor)}

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "shortest": self.shortest, "knots": self.knots, "roughness": self.roughness}
