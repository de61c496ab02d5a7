"""Rotation-invariant descriptors: the power spectra of the neighbor density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.base import Descriptor
from keras_ff.layers.couplings import harmonic_gradients
from keras_ff.layers.harmonics import solid_harmonics
from keras_ff.layers.spherical_bessel import SphericalBessel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


def squared_length(vectors):
    """Squared lengths of vectors `(..., 3)` in units of the cutoff, at most 1: padding may exceed it by a rounding error."""
    return ops.minimum(ops.sum(vectors * vectors, axis=-1), 1.0)


@keras.saving.register_keras_serializable("keras_ff")
class PowerSpectrum(Descriptor):
    """Descriptor of NeuralIL: the spherical-Bessel power spectrum of the neighbor density of each element.

    The features, for each pair of elements J <= K, are

        p_nl^JK(i) = (2l+1)/(4 pi) sum_{j in J} sum_{k in K} g_nl(r_ij) g_nl(r_ik) P_l(cos theta_jik)

    with j = k included. The addition theorem of the Legendre polynomials turns the
    double sum into products of one density per element,

        c_nlm^J(i) = sum_{j in J} g_nl(r_ij) Y_lm(r_ij),    p_nl^JK = sum_m c_nlm^J c_nlm^K,

    so that the cost grows linearly with the number of neighbors. The result and its
    first two derivatives vanish with a neighbor that reaches the cutoff.

    Args:
        cutoff: Radius in Å.
        n_max: l runs from 0 to n_max and n from 0 to n_max - l.
        n_species: Number of elements.

    Raises:
        ValueError: If the cutoff is not positive, n_max is no integer from 0 to 16, or there is no element.

    Example:
        >>> import keras_ff as kff
        >>> descriptor = kff.layers.PowerSpectrum(cutoff=3.5, n_max=4, n_species=2)
        >>> descriptor.n_features, descriptor.labels(["Si", "O"])[20]
        (45, 'Si-O n=0 l=1')

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), eqs. 1-4;
        Kocer, Mason and Erturk, AIP Adv. 10, 015021 (2020).
    """

    def __init__(self, cutoff: float, n_max: int, n_species: int = 1, **kwargs):
        super().__init__(cutoff, n_species, **kwargs)
        self.radial = SphericalBessel(cutoff, n_max, dtype=self.dtype_policy)
        self.n_max = self.radial.n_max

    @property
    def n_coefficients(self) -> int:
        """Number of features of each pair of elements, one for each combination of n and l."""
        return (self.n_max + 1) * (self.n_max + 2) // 2

    @property
    def n_densities(self) -> int:
        """Number of densities that each combination of l and n has: by default one for each element."""
        return self.n_species

    @property
    def n_features(self) -> int:
        """Number of features of an atom."""
        return self.n_species * (self.n_species + 1) // 2 * self.n_coefficients

    def shares(self, neighborhood: Neighborhood):
        """Compute how much each neighbor counts in each of the densities.

        Args:
            neighborhood: The `Neighborhood`.

        Returns:
            Tensor `(atoms, neighbors, n_densities)`: 1 in the density of the element of the neighbor and 0 in the others.
        """
        return ops.one_hot(neighborhood.neighbor_species, self.n_species, dtype=neighborhood.vectors.dtype)

    def densities(self, neighborhood: Neighborhood):
        """Compute the densities c_nlm^J of the neighbors of each element J.

        Args:
            neighborhood: The `Neighborhood`.

        Returns:
            List over l of tensors `(atoms, n, n_densities, 2 l + 1)` in Å^(-3/2).
        """
        vectors = neighborhood.vectors / self.cutoff
        radial = ops.where(neighborhood.is_neighbor[..., None], self.radial.reduced(squared_length(vectors)), 0.0)
        if self.n_species > 1:
            # (atoms, neighbors, functions, 1) x (atoms, neighbors, 1, densities)
            radial = radial[..., :, None] * self.shares(neighborhood)[..., None, :]
        else:
            radial = radial[..., None]
        result, first = [], 0
        for l, angular in enumerate(solid_harmonics(vectors, self.n_max)):
            count = self.radial.counts[l]
            functions = radial[:, :, first : first + count, :]
            functions = ops.reshape(functions, (*ops.shape(angular)[:2], count * self.n_densities))
            density = ops.matmul(ops.swapaxes(functions, 1, 2), angular)
            result.append(ops.reshape(density, (-1, count, self.n_densities, 2 * l + 1)))
            first += count
        return result

    def call(self, neighborhood: Neighborhood):
        """Compute the features `(atoms, features)` from a `Neighborhood`; see `products` for their order and units."""
        return self.products(self.densities(neighborhood))

    def products(self, densities):
        """Compute the features from the densities.

        Args:
            densities: List over l as `densities` returns it.

        Returns:
            Tensor `(atoms, features)` in Å^-3; pairs of elements (0, 0), (0, 1), .. run slowest, then l, then n.
        """
        blocks = []
        for first in range(self.n_species):
            pairs = [ops.sum(c[:, :, first : first + 1] * c[:, :, first:], axis=-1) for c in densities]
            block = ops.swapaxes(ops.concatenate(pairs, axis=1), 1, 2)
            blocks.append(ops.reshape(block, (-1, (self.n_species - first) * self.n_coefficients)))
        return ops.concatenate(blocks, axis=-1)

    def with_pullback(self, neighborhood: Neighborhood):
        """Compute the features, and return the function that goes back from them; see `Descriptor.with_pullback`."""
        # A neighbor has the same derivatives of its functions for all members: these need one product of matrices.
        densities = self.densities(neighborhood)

        def pullback(slopes):
            members, atoms = slopes.shape[0], ops.shape(slopes)[1]
            flat = ops.reshape(slopes, (-1, self.n_features))
            copies = [ops.tile(density, (members, 1, 1, 1)) for density in densities]
            by_density = backend.grad(lambda copies: ops.sum(self.products(copies) * flat))(copies)
            # (members, atoms, n, densities, m) to (atoms, densities, members, (n, m))
            rows = [
                ops.reshape(
                    ops.transpose(ops.reshape(g, (members, atoms, *g.shape[1:])), (1, 3, 0, 2, 4)),
                    (atoms, self.n_densities * members, g.shape[1] * g.shape[3]),
                )
                for g in by_density
            ]
            by_vector = ops.matmul(ops.concatenate(rows, axis=-1), self._derivatives(neighborhood))
            by_vector = ops.reshape(by_vector, (atoms, self.n_densities, members, 3, -1))
            shares = ops.swapaxes(self.shares(neighborhood), 1, 2) * neighborhood.mask[:, None]
            return ops.transpose(ops.sum(by_vector * shares[:, :, None, None], axis=1), (1, 0, 3, 2))

        return self.products(densities), pullback

    def _derivatives(self, neighborhood):
        """Derivatives of the functions of each neighbor with respect to its vector, `(atoms, (l, n, m), (xyz, neighbors))`."""
        vectors = neighborhood.vectors / self.cutoff
        squared = squared_length(vectors)
        radial, slopes = backend.jvp(self.radial.reduced, (squared,), (ops.ones_like(squared),))
        radial, slopes = (ops.swapaxes(x, 1, 2)[:, :, None, None] / self.cutoff for x in (radial, slopes))
        outward = 2.0 * ops.swapaxes(vectors, 1, 2)[:, None, None]
        harmonics = [ops.swapaxes(x, 1, 2) for x in solid_harmonics(vectors, self.n_max)]
        # The number of neighbors is not known while TensorFlow traces for batches of several.
        rows, first, columns = [], 0, 3 * ops.shape(vectors)[1]
        for l, angular in enumerate(harmonics):
            some = slice(first, first := first + self.radial.counts[l])
            # (atoms, n, m, xyz, neighbors)
            products = slopes[:, some] * outward * angular[:, None, :, None]
            if l:
                gradient = ops.convert_to_tensor(harmonic_gradients(l).reshape(-1, 2 * l - 1), dtype=vectors.dtype)
                turned = ops.reshape(ops.matmul(gradient, harmonics[l - 1]), (-1, 1, 2 * l + 1, 3, columns // 3))
                products = products + radial[:, some] * turned
            rows.append(ops.reshape(products, (-1, products.shape[1] * products.shape[2], columns)))
        return ops.concatenate(rows, axis=1)

    def product_terms(self):
        """Return the densities whose products the features are.

        Returns:
            List of one tuple for each feature, of one or two densities (l, n, index of the element) in ascending order.
        """
        return [
            ((l, n, a), (l, n, b))
            for a, b in np.transpose(np.triu_indices(self.n_species)).tolist()
            for l in range(self.n_max + 1)
            for n in range(self.n_max - l + 1)
        ]

    def with_twins(self, twins: Sequence[int]):
        """Make the descriptor of more elements; see `Descriptor.with_twins`."""
        descriptor = type(self).from_config({**self.get_config(), "n_species": len(twins)})
        indices = {product: number for number, product in enumerate(self.product_terms())}
        products = descriptor.product_terms()
        matrix = np.zeros((len(products), len(indices)))
        for number, product in enumerate(products):
            replaced = tuple(sorted((l, n, twins[species]) for l, n, species in product))
            # The square of a sum of densities has products of different ones twice.
            matrix[number, indices[replaced]] = 2.0 if len({*product}) > len({*replaced}) else 1.0
        return descriptor, matrix, np.array([products.index(product) for product in indices])

    def labels(self, species: Sequence[str]) -> list[str]:
        """Return names of the features for figures and tables, such as `Si-Si n=0 l=2`.

        Args:
            species: Chemical symbols of the elements.
        """
        return [
            f"{species[a]}-{species[b]} n={n} l={l}"
            for a, b in np.transpose(np.triu_indices(self.n_species))
            for l in range(self.n_max + 1)
            for n in range(self.n_max - l + 1)
        ]

    @property
    def groups(self) -> list[slice]:
        """Slices of the features that have the same dimension."""
        return [slice(0, self.n_features)]

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "n_max": self.n_max}


@keras.saving.register_keras_serializable("keras_ff")
class FullPowerSpectrum(PowerSpectrum):
    """Descriptor of the neighbor densities of each element and all rotation-invariant products of two of them.

    The published descriptor `PowerSpectrum` keeps the products of a radial function with itself. Here the features are, for the
    same densities c_nlm^J,

        c_n00^J                                             (two-body terms)
        p_nn'l^JK = sum_m c_nlm^J c_n'lm^K                  (three-body terms, each product once)

    which are nearly as cheap and describe an environment far better.

    Args:
        cutoff: Radius in Å.
        n_max: l runs from 0 to n_max and n, n' from 0 to n_max - l.
        n_species: Number of elements.

    Raises:
        ValueError: If the cutoff is not positive, n_max is no integer from 0 to 16, or there is no element.

    Example:
        >>> import keras_ff as kff
        >>> descriptor = kff.layers.FullPowerSpectrum(cutoff=5.0, n_max=2)
        >>> descriptor.labels(["Si"])
        ['Si n=0', 'Si n=1', 'Si n=2', 'Si n=0, Si n=0 l=0', 'Si n=0, Si n=1 l=0', 'Si n=0, Si n=2 l=0', 'Si n=1, Si n=1 l=0',
         'Si n=1, Si n=2 l=0', 'Si n=2, Si n=2 l=0', 'Si n=0, Si n=0 l=1', 'Si n=0, Si n=1 l=1', 'Si n=1, Si n=1 l=1',
         'Si n=0, Si n=0 l=2']

    Reference:
        Bartok, Kondor and Csanyi, Phys. Rev. B 87, 184115 (2013), eq. 25, for the products.
    """

    @property
    def groups(self) -> list[slice]:
        """Slices of the features that have the same dimension, densities and then products of two."""
        singles = self.radial.counts[0] * self.n_densities
        return [slice(0, singles), slice(singles, self.n_features)]

    @property
    def n_features(self) -> int:
        """Number of features of an atom."""
        rows = [count * self.n_densities for count in self.radial.counts]
        return rows[0] + sum(n * (n + 1) // 2 for n in rows)

    def product_terms(self):
        """Return the densities whose products the features are, in their order; see `PowerSpectrum.product_terms`."""
        rows = [[(l, n, a) for n in range(count) for a in range(self.n_species)] for l, count in enumerate(self.radial.counts)]
        pairs = [(row[a], row[b]) for row in rows for a, b in np.transpose(np.triu_indices(len(row))).tolist()]
        return [(density,) for density in rows[0]] + pairs

    def products(self, densities):
        """Compute the features from the densities.

        Args:
            densities: List over l as `densities` returns it.

        Returns:
            Tensor `(atoms, features)`: the densities of l = 0 in Å^(-3/2), then the products in Å^-3; l runs slowest.
        """
        features = []
        for l, density in enumerate(densities):
            rows = self.radial.counts[l] * self.n_densities
            density = ops.reshape(density, (-1, rows, 2 * l + 1))
            if l == 0:
                features.append(density[..., 0])
            features += [ops.sum(density[:, row : row + 1] * density[:, row:], axis=-1) for row in range(rows)]
        return ops.concatenate(features, axis=-1)

    def labels(self, species: Sequence[str]) -> list[str]:
        """Return names of the features for figures and tables, such as `Si n=0` and `Si n=0, Si n=1 l=2`.

        Args:
            species: Chemical symbols of the elements.
        """
        names = [[f"{symbol} n={n}" for n in range(count) for symbol in species] for count in self.radial.counts]
        products = [f"{row[a]}, {row[b]} l={l}" for l, row in enumerate(names) for a, b in np.transpose(np.triu_indices(len(row)))]
        return names[0] + products
