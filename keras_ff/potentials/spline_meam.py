"""The modified embedded-atom method with cubic splines (s-MEAM)."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import not_negative, positive, whole
from keras_ff.layers.inner_neighbors import inner_columns, neighbor_pairs, only_pairs, over_inner
from keras_ff.layers.splines import CubicSpline
from keras_ff.potentials.base import Potential
from keras_ff.potentials.lammps_splines import Curve, curve_names, read_curves, write_curves
from keras_ff.potentials.with_splines import WithSplines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keras_ff.geometry import Neighborhood

# The kinds of functions of a distance.
RADIAL = ("phi", "rho", "f")


@keras.saving.register_keras_serializable("keras_ff")
class SplineMEAM(WithSplines, Potential):
    """Spline MEAM (s-MEAM): embedded atoms with a density that depends on angles too; all functions are cubic splines.

        E = sum_{i<j} phi(r_ij) + sum_i [ U(n_i) - U(0) ]
        n_i = sum_j rho(r_ij) + sum_{j<k} f(r_ij) f(r_ik) g(cos theta_jik)

    rho and f are those of the element of the neighbor, g and phi belong to the pair of elements, U to the element of the center.
    As in LAMMPS, an isolated atom has no energy, splines continue as straight lines beyond their knots, and one cutoff, the
    largest last knot of phi, rho and f, ends all interactions. The cost is that of the triplets of neighbors within the last knots
    of f if all f vanish there (`CubicSpline(vanishes=True)`), otherwise of those within the cutoff.

    Args:
        species: Chemical symbols.
        functions: Dict from the names "phi Ti-Ti", "phi Ti-O", .., "rho Ti", .., "U Ti", .., "f Ti", .., "g Ti-Ti", .. (pairs in
            the order of the species) to `keras_ff.layers.CubicSpline`.
        cutoff: Radius in Å; by default the largest last knot of phi, rho and f.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a function is missing or unknown.

    Warns:
        UserWarning: If a function of the distance is not 0 at the cutoff, where the energy then jumps.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.SplineMEAM.untrained(["Ti"], cutoff=5.5, knots=5)
        >>> list(potential.functions), potential.functions["rho Ti"].knots.tolist()
        (['phi Ti-Ti', 'rho Ti', 'U Ti', 'f Ti', 'g Ti-Ti'], [1.5, 2.5, 3.5, 4.5, 5.5])

    Reference:
        Lenosky et al., Modell. Simul. Mater. Sci. Eng. 8, 825 (2000); LAMMPS, `pair_style meam/spline`.
    """

    def __init__(self, species: str | Sequence[str], functions: dict[str, CubicSpline], cutoff: float | None = None, **kwargs):
        species = [species] if isinstance(species, str) else list(species)
        names = curve_names(species)
        if set(functions) != set(names):
            missing, unknown = sorted(set(names) - set(functions)), sorted(set(functions) - set(names))
            raise ValueError(f"SplineMEAM of {species} has the functions {names}. Missing: {missing}. Unknown: {unknown}.")
        if cutoff is None:
            cutoff = max(spline.last for name, spline in functions.items() if name.split()[0] in RADIAL)
        super().__init__(species, cutoff, **kwargs)
        self.functions = {name: functions[name] for name in names}
        self._look_at_the_ends()

    def _look_at_the_ends(self):
        for name, spline in self.functions.items():
            if name.split()[0] in RADIAL:
                end = abs(float(spline(ops.full((1,), self.cutoff, dtype=spline.compute_dtype))[0]))
                if end > 1e-6 * np.abs(spline.start).max():
                    warnings.warn(
                        f"{name} has knots from {spline.first:g} to {spline.last:g} Å and is {end:.3g} at the cutoff of "
                        f"{self.cutoff:g} Å, where the energy jumps. Let its last knot be at the cutoff, with value and slope 0.",
                        stacklevel=3,
                    )

    @classmethod
    def untrained(
        cls,
        species: str | Sequence[str],
        cutoff: float = 5.5,
        triplet_cutoff: float | None = None,
        shortest: float = 1.5,
        knots: int = 10,
        **kwargs,
    ) -> SplineMEAM:
        """Make a potential to begin a training with.

        At the start atoms attract each other by rho alone, and each neighbor less, the more there are. The functions of the
        distance have value and slope 0 at their cutoff, whatever is trained.

        Args:
            species: Chemical symbols.
            cutoff: Radius of phi and rho in Å.
            triplet_cutoff: Radius of f in Å; by default the cutoff.
            shortest: Distance of the first knot of phi, rho and f in Å.
            knots: Number of knots of each function.
            kwargs: Arguments of Keras layers.
        """
        species = [species] if isinstance(species, str) else list(species)
        knots, shortest, cutoff = whole("knots", knots, 2), not_negative("shortest", shortest), positive("cutoff", cutoff, "Å")
        triplet_cutoff = cutoff if triplet_cutoff is None else positive("triplet_cutoff", triplet_cutoff, "Å")
        if not shortest < triplet_cutoff <= cutoff:
            raise ValueError(
                "The functions need shortest < triplet_cutoff <= cutoff, in Å. "
                f"Received shortest={shortest}, triplet_cutoff={triplet_cutoff}, cutoff={cutoff}."
            )
        x = np.linspace(1.0, 0.0, knots)
        n = np.linspace(-1.0, 3.0, knots)
        zero, ends = np.zeros(knots), (0.0, 0.0)
        start = {
            "phi": (zero, ends),
            "rho": (0.2 * x**3, None),
            "f": (x**3, None),
            "g": (zero, ends),
            "U": (n**2 / 4 - n, (-1.5, 0.5)),
        }
        functions = {}
        for name in curve_names(species):
            kind = name.split()[0]
            values, slopes = start[kind]
            last = triplet_cutoff if kind == "f" else cutoff
            first, last = {"g": (-1.0, 1.0), "U": (n[0], n[-1])}.get(kind, (shortest, last))
            # The slope of the cube at the first knot.
            slopes = slopes or (-3.0 * values[0] / (last - first), 0.0)
            functions[name] = CubicSpline(
                first, last, values, slopes, True, vanishes=kind in RADIAL, dtype=kwargs.get("dtype"), name=name.replace(" ", "_")
            )
        return cls(species, functions, cutoff, **kwargs)

    @classmethod
    def from_lammps(
        cls, path: str | Path, species: str | Sequence[str] | None = None, train_slopes: bool = True, **kwargs
    ) -> SplineMEAM:
        """Make the potential from a `meam/spline` file of LAMMPS, in the format of one element or of several.

            titanium = SplineMEAM.from_lammps("Ti.meam.spline", ["Ti"])

        Functions f whose value and slope are 0 at the last knot keep them there in training.

        Args:
            path: The file.
            species: Chemical symbols in the order of the batches, some or all of those of the file; by default all. A file in the
                old format does not name its element; it needs one here.
            train_slopes: Whether the slopes at the ends of the functions are trained.
            kwargs: Further arguments of `SplineMEAM`, such as `cutoff`.

        Raises:
            ValueError: If the file is malformed, has knots that are not uniform, or lacks a species.
        """
        known, curves = read_curves(path)
        species = [species] if isinstance(species, str) else list(species or known or ())
        if known is None:
            if len(species) != 1:
                raise ValueError(
                    f"{path} has the format of one element and does not name it. Received species={species}: name one."
                )
            curves = dict(zip(curve_names(species), curves.values()))
        elif not set(species) <= set(known):
            raise ValueError(f"{path} has functions for {known}. Received species={species}.")
        dtype = kwargs.get("dtype")
        functions = {}
        for name in curve_names(species):
            kind, symbols = name.split()
            curve = curves.get(name) or curves[f"{kind} {'-'.join(reversed(symbols.split('-')))}"]
            functions[name] = CubicSpline(
                curve.first,
                curve.last,
                curve.values,
                curve.slopes,
                train_slopes,
                vanishes=kind == "f" and curve.values[-1] == 0 and curve.slopes[1] == 0,
                dtype=dtype,
                name=name.replace(" ", "_"),
            )
        return cls(species, functions, **kwargs)

    def to_lammps(self, path: str | Path) -> None:
        """Write the functions as they are now to a `meam/spline` file of LAMMPS, in the format of several elements.

        Args:
            path: The file, which is written whole or not at all.

        Raises:
            ValueError: If a function has an end without a slope of its own, which the format cannot say.
        """
        curves = {}
        for name, spline in self.functions.items():
            if any(spline.is_natural):
                raise ValueError(f"LAMMPS knows slopes at the ends of a spline; {name} has a natural end.")
            values, slopes = spline.numbers()
            curves[name] = Curve(spline.first, spline.last, values, tuple(slopes))
        write_curves(path, self.species, curves)

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        r, mask = neighborhood.distances, neighborhood.mask
        of_centers, of_neighbors = self._kinds(neighborhood)
        density = self.density(neighborhood)
        pairs = 0.0
        for (a, b), spline in self._pairs("phi"):
            value = spline(r)
            if of_neighbors is not None:
                value = ops.where(self._are(a, b, of_centers, of_neighbors), value, 0.0)
            pairs = pairs + value
        embedding = 0.0
        for kind, symbol in enumerate(self.species):
            U = self.functions[f"U {symbol}"]
            value = U(density) - U(ops.zeros((1,), dtype=density.dtype))
            embedding = embedding + (value if of_centers is None else ops.where(of_centers[kind], value, 0.0))
        return 0.5 * ops.sum(pairs * mask, axis=-1) + embedding

    def density(self, neighborhood: Neighborhood):
        """Compute the argument n of the embedding functions U, `(atoms,)`, from a `Neighborhood`."""
        r, mask = neighborhood.distances, neighborhood.mask
        _, of_neighbors = self._kinds(neighborhood)
        f = self._sum("f", r, of_neighbors) * mask
        density = ops.sum(self._sum("rho", r, of_neighbors) * mask, axis=-1)
        return density + self._triplets(neighborhood, f, of_neighbors)

    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the arguments of all functions; see `WithSplines.spline_arguments`."""
        r, exists = neighborhood.distances, neighborhood.is_neighbor
        of_centers, of_neighbors = self._kinds(neighborhood)
        of_centers, of_neighbors = of_centers or [neighborhood.is_atom], of_neighbors or [exists]
        arguments, density = {}, self.density(neighborhood)
        for index, symbol in enumerate(self.species):
            inside = ops.logical_and(exists, of_neighbors[index])
            for kind in ("rho", "f"):
                arguments[f"{kind} {symbol}"] = (r, inside)
            atoms = ops.logical_and(neighborhood.is_atom, of_centers[index])
            arguments[f"U {symbol}"] = (density, atoms)
        directions = neighborhood.directions
        cosines = ops.matmul(directions, ops.swapaxes(directions, 1, 2))
        near = ops.logical_and(exists, r < self._reach())
        others = ~np.eye(r.shape[1], dtype=bool)
        for (a, b), _ in self._pairs("phi"):
            pair = f"{self.species[a]}-{self.species[b]}"
            arguments[f"phi {pair}"] = (r, ops.logical_and(exists, self._are(a, b, of_centers, of_neighbors)))
            first, second = (ops.logical_and(near, of_neighbors[kind]) for kind in (a, b))
            arguments[f"g {pair}"] = (cosines, ops.logical_and(first[:, :, None], second[:, None, :]) & others)
        return {name: (self.functions[name], *values) for name, values in arguments.items()}

    @staticmethod
    def _are(a, b, of_centers, of_neighbors):
        """Boolean `(atoms, neighbors)`: which pairs of atoms are of the two species."""
        first = ops.logical_and(of_centers[a][:, None], of_neighbors[b])
        second = ops.logical_and(of_centers[b][:, None], of_neighbors[a])
        return ops.logical_or(first, second)

    def _kinds(self, neighborhood):
        """Booleans for each species: which centers `(atoms,)` and which neighbors `(atoms, neighbors)` are of it, or two None."""
        if len(self.species) == 1:
            return None, None
        kinds = range(len(self.species))
        return [neighborhood.center_species == kind for kind in kinds], [neighborhood.neighbor_species == kind for kind in kinds]

    def _sum(self, name, r, of_neighbors):
        """Values at the distances of the function that belongs to the element of each neighbor, `(atoms, neighbors)`."""
        if of_neighbors is None:
            return self.functions[f"{name} {self.species[0]}"](r)
        return sum(
            ops.where(is_kind, self.functions[f"{name} {symbol}"](r), 0.0) for symbol, is_kind in zip(self.species, of_neighbors)
        )

    def _pairs(self, name):
        """List of indices of two species and the function of their pair."""
        pairs = itertools.combinations_with_replacement(range(len(self.species)), 2)
        return [((a, b), self.functions[f"{name} {self.species[a]}-{self.species[b]}"]) for a, b in pairs]

    def intermediates(self, neighbors: int) -> int:
        """Return the number of pairs of neighbors within the reach of f, see `Potential.intermediates`."""
        count = self._inner_columns(neighbors)
        return max(neighbors, count * (count - 1) // 2)

    def _reach(self):
        """Distance in Å from which all f are 0, whatever is trained."""
        f = [self.functions[f"f {symbol}"] for symbol in self.species]
        if all(spline.vanishes and spline.extrapolation == "linear" for spline in f):
            return min(self.cutoff, max(spline.last for spline in f))
        return self.cutoff

    def _inner_columns(self, neighbors):
        return inner_columns(neighbors, self._reach(), self.cutoff)

    def _triplets(self, neighborhood, f, of_neighbors):
        """Sum of f f g over pairs of neighbors, `(atoms,)`."""
        f = [f] if of_neighbors is None else [ops.where(is_kind, f, 0.0) for is_kind in of_neighbors]
        rows = ops.concatenate([neighborhood.directions, ops.stack(f, axis=-1)], axis=-1)
        tables = [g.coefficients(neighborhood.dtype) for _, g in self._pairs("g")]
        inside = ops.logical_and(neighborhood.is_neighbor, neighborhood.distances < self._reach())
        return over_inner(self._triplet_sum, rows, inside, self._inner_columns(f[0].shape[1]), tables)

    def _triplet_sum(self, rows, tables):
        """Sum of f f g over pairs of neighbors, `(atoms,)`.

        Args:
            rows: `(atoms, neighbors, 3 + species)`, directions and f of each element.
            tables: Coefficients of each g.
        """
        columns = ops.shape(rows)[1]
        first, second, is_pair = neighbor_pairs(columns)

        def of_pairs(products):
            return ops.take(ops.reshape(products, (-1, columns * columns)), first * columns + second, axis=1)

        directions, f = rows[..., :3], rows[..., 3:]
        # Gathered from the square of all products: several times as fast as products of what is gathered.
        cosines = of_pairs(ops.matmul(directions, ops.swapaxes(directions, 1, 2)))
        total = 0.0
        for ((a, b), g), table in zip(self._pairs("g"), tables):
            weights = f[:, :, None, a] * f[:, None, :, b]
            if a != b:
                weights = weights + ops.swapaxes(weights, 1, 2)
            total = total + ops.sum(only_pairs(of_pairs(weights), is_pair) * g.evaluate(cosines, table), axis=-1)
        return total

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        functions = {name: keras.saving.serialize_keras_object(spline) for name, spline in self.functions.items()}
        return {**super().get_config(), "functions": functions}

    @classmethod
    def from_config(cls, config: dict):
        """Make the potential from what `get_config` returned."""
        functions = {name: keras.saving.deserialize_keras_object(spline) for name, spline in config.pop("functions").items()}
        return cls(functions=functions, **config)
