"""Descriptor for any number of elements, with invariant products of three densities too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import whole
from keras_ff.layers.couplings import gaunt_coefficients
from keras_ff.layers.power_spectrum import FullPowerSpectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood

# The largest order of the harmonics in products of three.
L_TRIPLES = 3

# Orders of three harmonics whose product is no product of a density of l = 0 with two others.
ORDERS = [
    (a, b, c)
    for a in range(1, L_TRIPLES + 1)
    for b in range(a, L_TRIPLES + 1)
    for c in range(b, L_TRIPLES + 1)
    if (a + b + c) % 2 == 0 and c <= a + b
]


@keras.saving.register_keras_serializable("keras_ff")
class MixedPowerSpectrum(FullPowerSpectrum):
    """Descriptor of a few learned mixtures of the densities of all elements, and of their products of two and three.

    The features of `FullPowerSpectrum` grow with the square of the number of elements. Here neighbors of the element J count with
    the weight w_aJ in the density of the mixture a,

        c_nlm^a(i) = sum_j w_aJ(j) g_nl(r_ij) Y_lm(r_ij),

    and the features are those of `FullPowerSpectrum` for as many elements as there are mixtures: their number, and the time that
    they take, do not depend on the number of elements. The weights begin as orthogonal columns of random numbers, and are trained.
    With as many mixtures as elements each is an element, and there are no weights.

    With `triples`, four-body features are added: the invariant products of three densities d_nlm = sum_a v_nla c_nlm^a of n below
    `triples` and l from 1 to 3,

        sum_{m m' m''} G^{l l' l''}_{m m' m''} d_nlm d_n'l'm' d_n''l''m'',

    with the integrals G over three harmonics, each product once. The weights v are trained too if there are several densities.

    Args:
        cutoff: Radius in Å.
        n_max: l runs from 0 to n_max and n, n' from 0 to n_max - l.
        n_species: Number of elements.
        mixtures: Number of mixtures; by default that of the elements, and at most 4.
        triples: Number of radial functions in the products of three; 0 for no such products.
        seed: Seed of the initial weights.

    Raises:
        ValueError: If the cutoff is not positive, n_max is no integer from 0 to 16, there is no element or no mixture, there are
            more mixtures than elements, or products of three with n_max below 3.

    Example:
        >>> import keras_ff as kff
        >>> [kff.layers.MixedPowerSpectrum(cutoff=5.0, n_max=6, n_species=count).n_features for count in (1, 2, 3, 20, 89)]
        [91, 322, 693, 1204, 1204]
        >>> kff.layers.MixedPowerSpectrum(cutoff=5.0, n_max=6, triples=3).n_features
        164

    Reference:
        Willatt, Musil and Ceriotti, Phys. Chem. Chem. Phys. 20, 29661 (2018), for the mixtures; Drautz, Phys. Rev. B 99, 014104
        (2019), for the products of three densities.
    """

    MOST_MIXTURES = 4

    def __init__(
        self, cutoff: float, n_max: int, n_species: int = 1, mixtures: int | None = None, triples: int = 0, seed: int = 0, **kwargs
    ):
        super().__init__(cutoff, n_max, n_species, **kwargs)
        self.mixtures = min(self.n_species, self.MOST_MIXTURES) if mixtures is None else whole("mixtures", mixtures, 1)
        self.triples, self.seed = whole("triples", triples, 0), whole("seed", seed, 0)
        if self.mixtures > self.n_species:
            raise ValueError(f"There are at most as many mixtures as elements, {self.n_species}. Received mixtures={mixtures}.")
        if self.triples and self.n_max < L_TRIPLES:
            raise ValueError(f"Products of three densities need n_max of {L_TRIPLES} or more. Received n_max={n_max}.")
        self.mixing = None
        if self.mixtures < self.n_species:
            self.mixing = self._weight("mixing", _orthogonal(self.n_species, self.mixtures, self.seed))
        # Numbers of radial functions of l = 1, 2, 3 in the products of three.
        self._counts = [min(self.triples, count) for count in self.radial.counts[1 : L_TRIPLES + 1]]
        self.contractions = None
        if self.triples and self.mixtures > 1:
            start = _orthogonal(self.mixtures, sum(self._counts), self.seed + 1)
            self.contractions = self._weight("contractions", start)
        self._couplings = {orders: gaunt_coefficients(*orders) for orders in ORDERS} if self.triples else {}
        self._triples = {orders: self._distinct(*orders) for orders in self._couplings}

    def _weight(self, name, start):
        return self.add_weight(
            name=name, shape=start.shape, initializer=lambda shape, dtype=None: ops.convert_to_tensor(start, dtype=dtype)
        )

    def _distinct(self, *orders):
        """Indices of radial functions (first, second, third) of each product that is no other one in another order."""
        counts = [self._counts[l - 1] for l in orders]
        grid = np.stack(np.unravel_index(np.arange(np.prod(counts)), counts), axis=-1)
        repeated = [orders[place] == orders[place + 1] for place in (0, 1)]
        return [place for place, n in enumerate(grid) if all(n[k] <= n[k + 1] for k in (0, 1) if repeated[k])]

    @property
    def n_densities(self) -> int:
        """Number of densities that each combination of l and n has: of mixtures."""
        return self.mixtures

    @property
    def n_features(self) -> int:
        """Number of features of an atom."""
        return super().n_features + sum(len(places) for places in self._triples.values())

    @property
    def groups(self) -> list[slice]:
        """Slices of the features that have the same dimension: densities, then products of two, then of three."""
        singles, pairs = self.radial.counts[0] * self.n_densities, super().n_features
        return [slice(0, singles), slice(singles, pairs)] + ([slice(pairs, self.n_features)] if self.triples else [])

    def shares(self, neighborhood: Neighborhood):
        """Compute how much each neighbor counts in each mixture, `(atoms, neighbors, mixtures)`; see `PowerSpectrum.shares`."""
        if self.mixing is None:
            return super().shares(neighborhood)
        return ops.take(self.mixing, ops.maximum(neighborhood.neighbor_species, 0), axis=0)

    def products(self, densities):
        """Compute the features from the densities.

        Args:
            densities: List over l as `densities` returns it.

        Returns:
            Tensor `(atoms, features)`: the densities of l = 0 in Å^(-3/2), the products of two in Å^-3, and those of three in
            Å^(-9/2); l runs slowest.
        """
        features = super().products(densities)
        if not self.triples:
            return features
        return ops.concatenate([features, *self._products_of_three(self._contracted(densities))], axis=-1)

    def _contracted(self, densities):
        """The densities of products of three: for l = 1, 2, 3 tensors `(atoms, n, 2 l + 1)`."""
        result, first = [], 0
        for count, density in zip(self._counts, densities[1:]):
            density = density[:, :count]
            if self.contractions is None:
                result.append(density[:, :, 0])
            else:
                weights = ops.swapaxes(self.contractions[:, first : first + count], 0, 1)
                result.append(ops.sum(density * weights[..., None], axis=2))
            first += count
        return result

    def _products_of_three(self, densities):
        for (a, b, c), coupling in self._couplings.items():
            first, second, third = (densities[l - 1] for l in (a, b, c))
            counts = [x.shape[1] for x in (first, second, third)]
            # (atoms, n, n', m, m') to (atoms, n, n', m'')
            pairs = first[:, :, None, :, None] * second[:, None, :, None, :]
            coupled = ops.matmul(
                ops.reshape(pairs, (-1, counts[0] * counts[1], (2 * a + 1) * (2 * b + 1))),
                ops.convert_to_tensor(coupling.reshape(-1, 2 * c + 1), dtype=pairs.dtype),
            )
            products = ops.reshape(ops.matmul(coupled, ops.swapaxes(third, 1, 2)), (-1, int(np.prod(counts))))
            yield ops.take(products, np.array(self._triples[a, b, c]), axis=1)

    def product_terms(self):
        """Return the densities whose products the features are; see `PowerSpectrum.product_terms`.

        Raises:
            NotImplementedError: Densities are those of mixtures, whose elements have no products of their own.
        """
        raise NotImplementedError("The features of a MixedPowerSpectrum are products of mixtures of elements.")

    def with_twins(self, twins: Sequence[int]):
        """Make the descriptor of more elements, which has the same mixtures and features; see `Descriptor.with_twins`."""
        descriptor = type(self).from_config({**self.get_config(), "n_species": len(twins)})
        if descriptor.mixing is not None:
            known = np.eye(self.n_species) if self.mixing is None else ops.convert_to_numpy(self.mixing)
            descriptor.mixing.assign(known[np.asarray(twins)])
        if self.contractions is not None:
            descriptor.contractions.assign(ops.convert_to_numpy(self.contractions))
        return descriptor, np.eye(self.n_features), np.arange(self.n_features)

    def labels(self, species: Sequence[str]) -> list[str]:
        """Return names of the features for figures and tables, such as `Si n=0, O n=1 l=2`.

        Args:
            species: Chemical symbols of the elements; mixtures are `mix 1`, `mix 2`, ...
        """
        names = list(species) if self.mixing is None else [f"mix {number + 1}" for number in range(self.mixtures)]
        triples = []
        for orders, places in self._triples.items():
            counts = [self._counts[l - 1] for l in orders]
            for numbers in np.stack(np.unravel_index(places, counts), axis=-1).tolist():
                triples.append(", ".join(f"n={n} l={l}" for n, l in zip(numbers, orders)))
        return super().labels(names) + triples

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "mixtures": self.mixtures, "triples": self.triples, "seed": self.seed}


def _orthogonal(rows, columns, seed):
    """Random numbers `(rows, columns)` of unit mean square, as orthogonal as their numbers allow."""
    numbers = np.random.default_rng(seed).standard_normal((rows, columns))
    left, _, right = np.linalg.svd(numbers, full_matrices=False)
    matrix = left @ right
    return matrix / np.sqrt(np.mean(matrix**2))
