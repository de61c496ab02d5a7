"""The potential of Stillinger and Weber."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.potentials.classical import Table, at_most, diagonal
from keras_ff.potentials.lammps_files import LammpsPotential

if TYPE_CHECKING:
    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.lammps_files import Entry

# Nearer to its cutoff than this, in units of sigma, a pair is left out: exp(-1000) is 0, and no derivative overflows.
EDGE = 1e-3


@keras.saving.register_keras_serializable("keras_ff")
class StillingerWeber(LammpsPotential):
    """Potential of Stillinger and Weber: a two-body term, and a three-body term that favors one angle.

        E = sum_{i<j} epsilon A [B (sigma/r)^p - (sigma/r)^q] exp(sigma / (r - a sigma))
            + sum_i sum_{j<k} lam epsilon h_ij h_ik (cos theta_jik - cos_theta0)^2
        h_ij = exp(gamma sigma / (r_ij - a sigma))

    The three-body term is a polynomial in the cosine, so it is computed from moments
    of the neighbor density, at a cost that grows with the number of neighbors and not
    of their pairs.

    Args:
        species: Chemical symbols.
        parameters: Dict of `epsilon` (eV), `sigma` (Å), and the numbers `a`, `lam`, `gamma`, `cos_theta0`, `A`, `B`, `p`, `q`,
            each a single value or a table. `epsilon`, `lam` and `cos_theta0` belong to triplets (center, neighbor, neighbor), the
            others to pairs; the pair (i, j) has the epsilon of (i, j, j).
        cutoff: Radius in Å within which neighbors are listed; the largest a sigma by default. A fit cannot move a sigma beyond it:
            leave it room.
        train: True, False, or the names of the parameters to train. The energy depends on epsilon only through its products with A
            and lam, so one of the three is better left out.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, negative where it may not be, or not symmetric where it must
            be.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.StillingerWeber.silicon(train=["A", "lam"])
        >>> round(potential.cutoff, 5), potential.parameters()["sigma"].tolist()
        (3.77118, [[2.0951]])

    Reference:
        Stillinger and Weber, Phys. Rev. B 31, 5262 (1985), eqs. 2.3-2.6; several elements as in LAMMPS, `pair_style sw`.
    """

    TABLES = {
        "epsilon": Table(rank=3, symmetry=("pairs", "neighbors")),
        "sigma": Table(symmetry=("pairs",)),
        "a": Table(symmetry=("pairs",)),
        "lam": Table(rank=3, symmetry=("neighbors",)),
        "gamma": Table(),
        "cos_theta0": Table(rank=3, positive=False, symmetry=("neighbors",)),
        "A": Table(symmetry=("pairs",)),
        "B": Table(symmetry=("pairs",)),
        "p": Table(positive=False, symmetry=("pairs",)),
        "q": Table(positive=False, symmetry=("pairs",)),
    }
    COLUMNS = (*TABLES, "tol")

    @staticmethod
    def reach(parameters: dict[str, np.ndarray]) -> float:
        """Return the largest a sigma in Å."""
        return np.max(parameters["a"] * parameters["sigma"])

    @classmethod
    def silicon(cls, **kwargs) -> StillingerWeber:
        """Make the potential of silicon with the published parameters, as in the file Si.sw of LAMMPS.

        Args:
            kwargs: Further arguments of `StillingerWeber`, such as `train`.
        """
        values = (2.1683, 2.0951, 1.8, 21.0, 1.2, -1 / 3, 7.049556277, 0.6022245584, 4.0, 0.0)
        return cls(["Si"], dict(zip(cls.TABLES, values)), **kwargs)

    @staticmethod
    def problem(entry: Entry) -> str | None:
        """Return what is wrong with an `Entry` beyond the signs of its numbers, or None."""
        if entry.values["tol"] != 0:
            return f"tol is {entry.values['tol']:g}. A tolerance shortens the cutoff in LAMMPS; only 0 can be read."
        return None

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters as they are now, see `ClassicalPotential.parameters`; no a sigma exceeds the cutoff."""
        now = super().parameters()
        sigma = np.where(now["sigma"] > 0, now["sigma"], 1.0)
        return {**now, "a": np.where(now["a"] * sigma > self.cutoff, self.cutoff / sigma, now["a"])}

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        dtype = neighborhood.dtype
        table = {name: self.value(name, dtype) for name in self.TABLES}
        reach = at_most(table["a"] * table["sigma"], self.cutoff)
        epsilon, sigma, reach, gamma, A, B, p, q = self.of_pairs(
            neighborhood,
            diagonal(table["epsilon"]),
            table["sigma"],
            reach,
            *(table[name] for name in ("gamma", "A", "B", "p", "q")),
        )
        r = neighborhood.distances
        inside = ops.logical_and(neighborhood.is_neighbor, ops.logical_and(reach - r > EDGE * sigma, r > 0))
        r = ops.where(inside, r, 1.0)
        # Sigma is 0 where two elements do not interact.
        sigma = ops.where(inside, sigma, 1.0)
        exponent = sigma / ops.where(inside, r - reach, -1.0)
        shrink = ops.log(sigma / r)
        pair = epsilon * A * (B * ops.exp(p * shrink + exponent) - ops.exp(q * shrink + exponent))
        h = ops.where(inside, ops.exp(gamma * exponent), 0.0)
        directions = neighborhood.vectors / r[..., None]
        pairs = 0.5 * ops.sum(ops.where(inside, pair, 0.0), axis=-1)
        return pairs + self._triplets(neighborhood, table, h, directions)

    def _triplets(self, neighborhood, table, h, directions):
        """Three-body energies, `(atoms,)`: half the sum over ordered pairs of neighbors, from moments of the neighbor density.

        The moments have pairs of a neighbor with itself too, which are subtracted.
        """
        strength, cosine = table["lam"] * table["epsilon"], table["cos_theta0"]
        centers = neighborhood.center_species
        kinds = range(len(self.species))
        moments = []
        for kind in kinds:
            h_k = h if len(kinds) == 1 else ops.where(neighborhood.neighbor_species == kind, h, 0.0)
            m0, m1 = ops.sum(h_k, axis=1), ops.einsum("ak,aki->ai", h_k, directions)
            m2 = ops.einsum("aki,akj->aij", h_k[..., None] * directions, directions)
            moments.append((m0, m1, m2, ops.sum(h_k * h_k, axis=1)))
        total = 0.0
        for j, k in itertools.product(kinds, repeat=2):
            weight, c = (ops.take(x[:, j, k], centers) if len(kinds) > 1 else x[0, 0, 0] for x in (strength, cosine))
            (a0, a1, a2, own), (b0, b1, b2, _) = moments[j], moments[k]
            pairs = ops.sum(a2 * b2, axis=(1, 2)) - 2.0 * c * ops.sum(a1 * b1, axis=1) + c * c * a0 * b0
            total = total + weight * (pairs - (1.0 - c) ** 2 * own if j == k else pairs)
        return 0.5 * total
