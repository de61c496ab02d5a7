"""Trainable spline filters of the neighbor density: the descriptor of spline networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops
from numpy.polynomial import Legendre

from keras_ff.arguments import not_negative, whole
from keras_ff.layers.base import Descriptor
from keras_ff.layers.cutoffs import polynomial_cutoff
from keras_ff.layers.harmonics import solid_harmonics
from keras_ff.layers.inner_neighbors import inner_columns, neighbor_pairs, only_pairs, over_inner
from keras_ff.layers.legendre import LegendreSeries
from keras_ff.layers.splines import CubicSpline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood


@keras.saving.register_keras_serializable("keras_ff")
class SplineFilters(Descriptor):
    """Descriptor of trainable filters: sums of spline functions over neighbors and pairs of neighbors, one feature a filter.

        G2_a(i) = sum_j w_a(j) rho_a(r_ij) fc(r_ij)
        G3_abc(i) = sum_{j<k} [ F_a(j) F_b(k) + F_b(j) F_a(k) ] g_c(cos theta_jik),   F_a(j) = v_a(j) f_a(r_ij) fc'(r_ij)

    with half of that if a = b. rho_a and f_a are cubic splines whose values at the knots are weights; fc and fc' are
    `polynomial_cutoff` at `cutoff` and `triplet_cutoff`. Below the first knot the radial functions are constant, so that the
    features of an atom stay bounded and a repulsion added to the potential wins at short range. All elements share the filters; w_a
    and v_a are learned amplitudes of the elements, 1 if there is only one element.

    g_c are polynomials of the cosine with trained coefficients. The addition theorem of the Legendre polynomials then makes the
    sums over pairs of neighbors products of moments of the neighbor density, exactly, so that the cost grows with the number of
    neighbors and not with its square. With `degree=None` they are cubic splines as in the paper, and all pairs are visited.

    At the start rho_a and f_a are bumps at equal distances, g_c the Legendre polynomials. With `triplets=(6, 7)` all combinations
    of two of 6 functions f meet each of 7 functions g: 147 features of 13 curves. With `triplets=6` there are 6 functions f, each
    with itself and a g of its own, as in the paper.

    Args:
        cutoff: Radius in Å of the pair filters.
        n_species: Number of elements.
        pairs: Number of pair filters.
        triplets: Numbers (f, g) of functions of which all combinations are features, or the number of pairs f, g.
        triplet_cutoff: Radius in Å of the triplet filters; by default `cutoff`.
        shortest: Distance of the first knot of the radial functions, in Å.
        knots: Numbers of knots of radial functions and, with `degree=None`, of g.
        degree: Degree of the polynomials g, or None for splines.
        roughness: Strength of the penalty for curvature of the filters, see `keras_ff.layers.Roughness`.

    Raises:
        ValueError: If the triplet cutoff is larger than the cutoff, the first knot is not within both, or there are more
            functions g than polynomials of the degree.

    Example:
        >>> import keras_ff as kff
        >>> filters = kff.layers.SplineFilters(cutoff=5.0, pairs=4, triplets=(2, 3), triplet_cutoff=4.0)
        >>> filters.n_features  # 4, and 3 for each of the 3 combinations of two f
        13

    Reference:
        Vita and Trinkle, Comput. Mater. Sci. 232, 112655 (2024).
    """

    def __init__(
        self,
        cutoff: float,
        n_species: int = 1,
        pairs: int = 8,
        triplets: int | tuple[int, int] = (6, 7),
        triplet_cutoff: float | None = None,
        shortest: float = 1.0,
        knots: tuple[int, int] = (12, 10),
        degree: int | None = 6,
        roughness: float = 0.0,
        **kwargs,
    ):
        super().__init__(cutoff, n_species, **kwargs)
        self.shortest = not_negative("shortest", shortest)
        self.triplet_cutoff = self.cutoff if triplet_cutoff is None else float(triplet_cutoff)
        self.n_pairs, self.triplets = whole("pairs", pairs, 0), triplets if np.ndim(triplets) == 0 else tuple(triplets)
        self.all_meet = np.ndim(triplets) == 1
        n_f, n_g = (whole("triplets", count, 0) for count in np.broadcast_to(triplets, 2))
        # The functions f of the two neighbors, each combination once.
        self.partners = np.triu_indices(n_f) if self.all_meet else 2 * (np.arange(n_f),)
        self.n_triplets = len(self.partners[0]) * (n_g if self.all_meet else 1)
        self.knots, self.roughness = (
            tuple(whole("knots", count, 2) for count in np.broadcast_to(knots, 2)),
            not_negative("roughness", roughness),
        )
        self.degree = degree if degree is None else whole("degree", degree, 0)
        if not self.shortest < self.triplet_cutoff <= self.cutoff:
            raise ValueError(
                "The filters need shortest < triplet_cutoff <= cutoff, in Å. "
                f"Received shortest={shortest}, triplet_cutoff={triplet_cutoff}, cutoff={cutoff}."
            )
        if self.n_pairs + self.n_triplets < 1:
            raise ValueError(f"There must be a filter. Received pairs={pairs}, triplets={triplets}.")
        self.rho = self.f = self.g = None
        if self.n_pairs:
            self.rho = self._radial("rho", self.cutoff, np.arange(self.n_pairs), self.n_pairs)
        if self.n_triplets:
            # Without a partner for each, few bumps each meet polynomials of several orders.
            bumps = n_f if self.all_meet else int(np.ceil(np.sqrt(n_f)))
            self.f = self._radial("f", self.triplet_cutoff, np.arange(n_f) % bumps, bumps)
            orders = np.arange(n_g) if self.all_meet else np.arange(n_f) // bumps
            self.g = self._angular(orders)
        shape = (self.n_species, self.n_pairs + (n_f if self.n_triplets else 0))
        self.amplitudes = self.add_weight(name="amplitudes", shape=shape, initializer="ones", trainable=self.n_species > 1)

    def _radial(self, name, cutoff, indices, count):
        width = (cutoff - self.shortest) / count
        centers = self.shortest + width * (indices + 0.5)

        def bumps(points):
            return np.exp(-(((np.linspace(self.shortest, cutoff, points)[:, None] - centers) / width) ** 2))

        # The bumps have equal heights after the cutoff function has damped them.
        damping = ops.convert_to_numpy(polynomial_cutoff(np.linspace(self.shortest, cutoff, 200), cutoff))
        values = bumps(self.knots[0]) / np.max(bumps(200) * damping[:, None], axis=0)
        return self._spline(name, self.shortest, cutoff, values, (0.0, None))

    def _angular(self, orders):
        if self.degree is None:
            cosines = np.linspace(-1.0, 1.0, self.knots[1])
            values = np.stack([Legendre.basis(order)(cosines) for order in orders], axis=-1)
            return self._spline("g", -1.0, 1.0, values, (None, None))
        if self.degree < max(orders):
            raise ValueError(
                f"triplets={self.triplets} needs polynomials up to degree {max(orders)}. Received degree={self.degree}."
            )
        start = np.eye(self.degree + 1)[:, orders]
        return LegendreSeries(start, roughness=self.roughness, name="g", dtype=self.dtype_policy)

    def _spline(self, name, first, last, values, slopes):
        return CubicSpline(first, last, values, slopes, roughness=self.roughness, name=name, dtype=self.dtype_policy)

    @property
    def n_features(self) -> int:
        """Number of features of an atom."""
        return self.n_pairs + self.n_triplets

    @property
    def groups(self) -> list[slice]:
        """Slices of the features that have similar sizes, pair filters and triplet filters."""
        groups = [slice(0, self.n_pairs), slice(self.n_pairs, self.n_features)]
        return [group for group in groups if group.stop > group.start]

    def curves(self, points: int = 200) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the functions of the filters as they are now, cutoff functions included, for figures.

        Args:
            points: Number of distances or cosines at which the functions are evaluated.

        Returns:
            Dict from "rho", "f" and "g" to `(x, values)`: distances in Å or cosines `(points,)`, and `(points, filters)`.
        """
        curves = {}
        for name, cutoff in (("rho", self.cutoff), ("f", self.triplet_cutoff), ("g", None)):
            spline = getattr(self, name)
            if spline is None:
                continue
            x = np.linspace(0.8 * self.shortest, cutoff, points) if cutoff else np.linspace(-1.0, 1.0, points)
            values = spline(ops.convert_to_tensor(x, dtype=self.compute_dtype))
            if cutoff:
                values = values * polynomial_cutoff(ops.convert_to_tensor(x, dtype=self.compute_dtype), cutoff)[:, None]
            curves[name] = (x, ops.convert_to_numpy(values))
        return curves

    def for_species(self, n_species: int) -> SplineFilters:
        """Return a copy of the filters as they are now for other elements, whose amplitudes are 1.

        Args:
            n_species: Number of elements of the copy.
        """
        copy = SplineFilters.from_config({**self.get_config(), "n_species": n_species})
        for name in ("rho", "f", "g"):
            if (spline := getattr(self, name)) is not None:
                getattr(copy, name).set_weights(spline.get_weights())
        return copy

    def with_twins(self, twins: Sequence[int]):
        """Make the filters of more elements, with the amplitudes of their twins; see `Descriptor.with_twins`."""
        copy = self.for_species(len(twins))
        copy.amplitudes.assign(ops.take(self.amplitudes, np.array(twins), axis=0))
        return copy, np.eye(self.n_features), np.arange(self.n_features)

    def call(self, neighborhood: Neighborhood):
        """Compute the features `(atoms, features)` from a `Neighborhood`: pair filters first, then triplet filters."""
        features = []
        if self.rho is not None:
            features.append(ops.sum(self._weighted(neighborhood, self.rho, self.cutoff, 0), axis=1))
        if self.f is not None:
            f = self._weighted(neighborhood, self.f, self.triplet_cutoff, self.n_pairs)
            features.append(self._triplet_sums(neighborhood, f))
        return ops.concatenate(features, axis=-1)

    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the arguments of the radial functions: cosines are always within the knots of g.

        Args:
            neighborhood: The `Neighborhood`.

        Returns:
            Dict as that of `keras_ff.potentials.WithSplines.spline_arguments`.
        """
        r, exists = neighborhood.distances, neighborhood.is_neighbor
        arguments = {"rho": (self.rho, r, exists), "f": (self.f, r, ops.logical_and(exists, r < self.triplet_cutoff))}
        return {name: values for name, values in arguments.items() if values[0] is not None}

    def _weighted(self, neighborhood, spline, cutoff, first):
        """Radial functions with cutoff, mask and amplitude of the element, `(atoms, neighbors, filters)`."""
        r = neighborhood.distances
        values = spline(r) * (polynomial_cutoff(r, cutoff) * neighborhood.mask)[..., None]
        if self.n_species > 1:
            amplitudes = self.amplitudes[:, first : first + values.shape[-1]]
            values = values * ops.take(amplitudes, neighborhood.neighbor_species, axis=0)
        return values

    def _triplet_sums(self, neighborhood, f):
        if self.degree is not None:
            return self._of_moments(neighborhood.directions, f)
        distances = neighborhood.distances
        inside = ops.logical_and(neighborhood.is_neighbor, distances < self.triplet_cutoff)
        rows = ops.concatenate([neighborhood.directions * ops.cast(inside, f.dtype)[..., None], f], axis=-1)
        columns = inner_columns(distances.shape[1], self.triplet_cutoff, self.cutoff)
        return over_inner(self._of_triplets, rows, inside, columns, self.g.coefficients(f.dtype))

    def _of_triplets(self, rows, table):
        """Sums over pairs of neighbors, `(atoms, triplet filters)`, from directions and f in rows `(atoms, neighbors, 3 + f)`."""
        columns = ops.shape(rows)[1]
        first, second, is_pair = neighbor_pairs(columns)
        directions, f = rows[..., :3], rows[..., 3:]
        products = ops.matmul(directions, ops.swapaxes(directions, 1, 2))
        cosines = ops.take(ops.reshape(products, (-1, columns * columns)), first * columns + second, axis=1)
        f_first, f_second = (ops.take(f, indices, axis=1) for indices in (first, second))
        weights = only_pairs(ops.stack([_product(f_first, f_second, a, b) for a, b in zip(*self.partners)], axis=-1), is_pair)
        angular = self.g.evaluate(cosines, table)
        if not self.all_meet:
            return ops.sum(weights * angular, axis=1)
        return ops.reshape(ops.matmul(ops.swapaxes(weights, 1, 2), angular), (-1, self.n_triplets))

    def _of_moments(self, directions, f):
        """Sums over pairs of neighbors, `(atoms, triplet filters)`, for polynomials g: from moments of the neighbor density."""
        harmonics = ops.concatenate(solid_harmonics(directions, self.degree), axis=-1)
        by_function = ops.swapaxes(f, 1, 2)
        moments, overlaps = ops.matmul(by_function, harmonics), ops.matmul(by_function, f)
        degrees = np.arange(self.degree + 1)
        table = ops.cast(self.g.coefficients, f.dtype)
        weights = ops.convert_to_tensor(4.0 * np.pi / (2 * degrees + 1), dtype=f.dtype)[:, None] * table
        weights = ops.take(weights, np.repeat(degrees, 2 * degrees + 1), axis=0)
        # The products have pairs of a neighbor with itself too, at cosine 1, and each pair twice if both functions are the same.
        at_one = ops.sum(table, axis=0)
        if not self.all_meet:
            products = ops.sum(moments * moments * ops.swapaxes(weights, 0, 1), axis=-1)
            return 0.5 * (products - ops.diagonal(overlaps, axis1=1, axis2=2) * at_one)
        functions = range(f.shape[-1])
        # Slices, as the derivative of `take` is slow.
        products = ops.concatenate([moments[:, a : a + 1] * moments[:, a:] for a in functions], axis=1)
        alone = ops.concatenate([overlaps[:, a, a:] for a in functions], axis=1)[..., None] * at_one
        once = ops.convert_to_tensor(np.where(np.equal(*self.partners), 0.5, 1.0), dtype=f.dtype)[:, None]
        return ops.reshape(once * (ops.matmul(products, weights) - alone), (-1, self.n_triplets))

    def intermediates(self, neighbors: int) -> int:
        """Return how many numbers the largest intermediate result of `call` holds for an atom; see `Potential.intermediates`.

        Args:
            neighbors: Number of neighbors of the atom, padding included.
        """
        if self.degree is not None:
            # The coefficients of a spline at each neighbor.
            return 4 * neighbors
        columns = inner_columns(neighbors, self.triplet_cutoff, self.cutoff)
        return max(neighbors, columns * (columns - 1) // 2 * len(self.partners[0]))

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {
            **super().get_config(),
            "pairs": self.n_pairs,
            "triplets": self.triplets,
            "triplet_cutoff": self.triplet_cutoff,
            "shortest": self.shortest,
            "knots": self.knots,
            "degree": self.degree,
            "roughness": self.roughness,
        }


def _product(first, second, a, b):
    """Product of the functions a and b of two neighbors, the sum of both orders if they differ."""
    if a == b:
        return first[..., a] * second[..., a]
    return first[..., a] * second[..., b] + first[..., b] * second[..., a]
