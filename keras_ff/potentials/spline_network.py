"""Spline potentials with networks: s-NNP, and the pair term that goes with it."""

import keras
import numpy as np
from keras import ops

from keras_ff.layers.cutoffs import polynomial_cutoff
from keras_ff.layers.spline_filters import SplineFilters
from keras_ff.layers.splines import CubicSpline
from keras_ff.potentials.base import Potential
from keras_ff.potentials.contradictions import refuse_contradictions
from keras_ff.potentials.descriptor_network import DescriptorNetwork
from keras_ff.potentials.sum import Sum
from keras_ff.potentials.with_splines import WithSplines


@keras.saving.register_keras_serializable("keras_ff")
class SplineNetwork(WithSplines, DescriptorNetwork):
    """A network fed by trainable spline filters of the neighbor density (s-NNP).

        E_i = energy_scale * (slope * network(G_i, embedding_i) + intercept)

    with the features G of `SplineFilters`. The embedding function of s-MEAM has become a network of any size, and its one density
    several; with `units=()` the embedding is linear. Compose it, one line for each modification:

    * `Sum([SplineNetwork(["Si"], cutoff=4.0), PairSpline(["Si"], cutoff=6.0)])`: a network within 4 Å, a pair potential beyond.
    * `Sum([SplineNetwork(["Si"]), ZBL(["Si"])])`: repels at short range, where the features are bounded, whatever the network says.
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

    Reference:
        Vita and Trinkle, Comput. Mater. Sci. 232, 112655 (2024).
    """

    DESCRIPTOR = "filters"

    def __init__(self, species, cutoff=None, triplet_cutoff=None, filters=None, **kwargs):
        refuse_contradictions("filters", filters, cutoff=cutoff, triplet_cutoff=triplet_cutoff)
        if filters is None:
            cutoff, n_species = 4.5 if cutoff is None else cutoff, 1 if isinstance(species, str) else len(species)
            filters = SplineFilters(cutoff, n_species, triplet_cutoff=triplet_cutoff, dtype=kwargs.get("dtype"))
        super().__init__(species, filters, **kwargs)

    @classmethod
    def on_top_of(cls, potential, **kwargs):
        """`Sum` of a potential and a spline network for the same species that adds nothing until it is trained.

        With a fitted `SplineMEAM` the result is an s-NNP whose network begins as the embedding function of s-MEAM.

        Args:
            potential: Any `Potential`; it is trained along, unless its `trainable` is False.
            kwargs: Of `SplineNetwork`, beside the species.
        """
        network = cls(potential.species, **kwargs)
        network.slope.assign(0.0)
        return Sum([potential, network])

    @property
    def filters(self):
        return self.descriptor

    def spline_arguments(self, neighborhood):
        return self.filters.spline_arguments(neighborhood)


@keras.saving.register_keras_serializable("keras_ff")
class PairSpline(WithSplines, Potential):
    """A pair potential whose function is a cubic spline, one for each pair of elements.

        E = sum_{i<j} phi(r_ij) fc(r_ij)

    with `polynomial_cutoff`. It begins at 0; below its first knot phi is a straight line.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å.
        shortest: Place of the first knot in Å.
        knots: Number of knots.
        roughness: Strength of the penalty for curvature, see `keras_ff.layers.Roughness`.
    """

    def __init__(self, species, cutoff=5.0, shortest=1.0, knots=12, roughness=0.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.shortest, self.knots, self.roughness = float(shortest), int(knots), float(roughness)
        count = len(self.species)
        first, second = np.triu_indices(count)
        # Place of the pair (i, j) among the splines, in any order.
        self.pair = np.zeros((count, count), "int32")
        self.pair[first, second] = self.pair[second, first] = np.arange(len(first))
        start = np.zeros((self.knots, len(first)))
        self.phi = CubicSpline(self.shortest, self.cutoff, start, roughness=self.roughness, dtype=self.dtype_policy, name="phi")

    def call(self, neighborhood):
        r = neighborhood.distances
        kinds = neighborhood.center_species[:, None] * len(self.species) + neighborhood.neighbor_species
        which = ops.take(ops.convert_to_tensor(self.pair.ravel()), kinds)
        pairs = self.phi(r, which=which) * polynomial_cutoff(r, self.cutoff) * neighborhood.mask
        return 0.5 * ops.sum(pairs, axis=-1)

    def spline_arguments(self, neighborhood):
        return {"phi": (self.phi, neighborhood.distances, neighborhood.is_neighbor)}

    def get_config(self):
        return {**super().get_config(), "shortest": self.shortest, "knots": self.knots, "roughness": self.roughness}
