"""The environment-dependent interatomic potential (EDIP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.layers.inner_neighbors import neighbor_pairs, only_pairs
from keras_ff.potentials.classical import Table, at_most
from keras_ff.potentials.lammps_files import LammpsPotential

if TYPE_CHECKING:
    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.lammps_files import Entry

# Nearer to its cutoff than this fraction of it, a pair is left out: its terms are below exp(-1000), and no derivative overflows.
EDGE = 1e-4


@keras.saving.register_keras_serializable("keras_ff")
class EDIP(LammpsPotential):
    """Environment-dependent interatomic potential: strength and favored angle of bonds follow the coordination of the atom.

        E = sum_i [ sum_j V2(r_ij, Z_i) + sum_{j<k} V3(r_ij, r_ik, cos theta_jik, Z_i) ],   Z_i = sum_j f(r_ij)
        V2 = A [ (B/r)^rho - exp(-beta Z^2) ] exp(sigma / (r - a))
        V3 = exp(gamma / (r_ij - a)) exp(gamma / (r_ik - a)) lam [ 1 - exp(-Q l^2) + eta Q l^2 ],   l = cos theta + tau
        Q = Q0 exp(-mu Z),   tau = u1 + u2 [ u3 exp(-u4 Z) - exp(-2 u4 Z) ]
        f = 1 within c, exp(alpha / (1 - x^-3)) with x = (r - c) / (a - c) up to a

    Args:
        species: Chemical symbols.
        parameters: Dict of `A`, `lam` (eV), `B`, `sigma`, `gamma`, the outer and inner cutoffs `a` and `c` (Å), and the numbers
            `rho`, `beta`, `alpha`, `eta`, `mu`, `Q0`, `u1`, `u2`, `u3`, `u4`, each a single value or a table. `eta`, `lam`, `mu`,
            `Q0` and `u1` to `u4` belong to triplets (center, neighbor, neighbor), the others to pairs (center, neighbor).
        cutoff: Radius in Å within which neighbors are listed; the largest a by default. A fit cannot move an `a` beyond it.
        train: True, False, or the names of the parameters to train.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, negative where it may not be, or not symmetric where it must
            be.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.EDIP.silicon()
        >>> potential.cutoff, potential.parameters()["rho"].tolist()
        (3.121382, [[1.2085196]])

    Reference:
        Justo, Bazant, Kaxiras, Bulatov and Yip, Phys. Rev. B 58, 2539 (1998), eqs. 2-14; several elements as in LAMMPS,
        `pair_style edip/multi`.
    """

    TABLES = {
        "A": Table(),
        "B": Table(),
        "a": Table(),
        "c": Table(),
        "alpha": Table(),
        "beta": Table(),
        "eta": Table(rank=3, symmetry=("neighbors",)),
        "gamma": Table(),
        "lam": Table(rank=3, symmetry=("neighbors",)),
        "mu": Table(rank=3, symmetry=("neighbors",)),
        "rho": Table(),
        "sigma": Table(),
        "Q0": Table(rank=3, symmetry=("neighbors",)),
        "u1": Table(rank=3, positive=False, symmetry=("neighbors",)),
        "u2": Table(rank=3, positive=False, symmetry=("neighbors",)),
        "u3": Table(rank=3, positive=False, symmetry=("neighbors",)),
        "u4": Table(rank=3, symmetry=("neighbors",)),
    }
    COLUMNS = tuple(TABLES)

    @staticmethod
    def reach(parameters: dict[str, np.ndarray]) -> float:
        """Return the largest outer cutoff a in Å."""
        return np.max(parameters["a"])

    @classmethod
    def silicon(cls, **kwargs) -> EDIP:
        """Make the potential of silicon with the published parameters, as in the file Si.edip of LAMMPS.

        Args:
            kwargs: Further arguments of `EDIP`, such as `train`.
        """
        values = (
            7.982173, 1.5075463, 3.121382, 2.5609104, 3.1083847, 0.0070975, 0.2523244, 1.1247945, 1.4533108, 0.6966326, 1.2085196,
            0.5774108, 312.1341346, -0.165799, 32.557, 0.286198, 0.66,
        )  # fmt: skip
        return cls(["Si"], dict(zip(cls.TABLES, values)), **kwargs)

    @staticmethod
    def problem(entry: Entry) -> str | None:
        """Return what is wrong with an `Entry` beyond the signs of its numbers, or None."""
        if entry.elements[1] == entry.elements[2] and entry.values["c"] >= entry.values["a"]:
            return f"the inner cutoff {entry.values['c']:g} must be smaller than the outer cutoff {entry.values['a']:g}."
        return None

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters as they are now, see `ClassicalPotential.parameters`; no a exceeds the cutoff."""
        parameters = super().parameters()
        return {**parameters, "a": np.minimum(parameters["a"], self.cutoff)}

    def intermediates(self, neighbors: int) -> int:
        """Return the number of pairs of neighbors, see `Potential.intermediates`."""
        return max(neighbors, neighbors * (neighbors - 1) // 2)

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        table = {name: self.value(name, neighborhood.dtype) for name in self.TABLES}
        names = ("A", "B", "a", "c", "alpha", "beta", "gamma", "rho", "sigma")
        A, B, a, c, alpha, beta, gamma, rho, sigma = self.of_pairs(neighborhood, *(table[name] for name in names))
        a = at_most(a, self.cutoff)
        r = neighborhood.distances
        inside = ops.logical_and(neighborhood.is_neighbor, ops.logical_and(a - r > EDGE * a, r > 0))
        r = ops.where(inside, r, 1.0)
        x = ops.where(inside, ops.maximum((r - c) / (a - c), 0.0), 0.0) ** 3
        coordination = ops.sum(ops.where(inside, ops.exp(-alpha * x / (1.0 - x)), 0.0), axis=-1, keepdims=True)
        inverse = 1.0 / ops.where(inside, r - a, -1.0)
        power = ops.exp(rho * ops.log(ops.where(inside, B, 1.0) / r))
        pair = A * (power - ops.exp(-beta * coordination**2)) * ops.exp(sigma * inverse)
        g = ops.where(inside, ops.exp(gamma * inverse), 0.0)
        directions = neighborhood.vectors / r[..., None]
        return ops.sum(ops.where(inside, pair, 0.0), axis=-1) + self._triplets(neighborhood, table, g, directions, coordination)

    def _triplets(self, neighborhood, table, g, directions, coordination):
        """Half the sum over ordered pairs of different neighbors."""
        count = len(self.species)

        def of_centers(name):
            """Parameters of the triplets of each atom, (atoms, species * species), or (1, 1)."""
            values = ops.reshape(table[name], (count, count * count))
            return values if count == 1 else ops.take(values, neighborhood.center_species, axis=0)

        eta, lam, mu, Q0, u1, u2, u3, u4 = (of_centers(name) for name in ("eta", "lam", "mu", "Q0", "u1", "u2", "u3", "u4"))
        Q = Q0 * ops.exp(-mu * coordination)
        fall = ops.exp(-u4 * coordination)
        tau = u1 + u2 * (u3 * fall - fall * fall)
        first, second, is_pair = neighbor_pairs(ops.shape(g)[1])
        if count > 1:
            kinds = neighborhood.neighbor_species
            kind = ops.take(kinds, first, axis=1) * count + ops.take(kinds, second, axis=1)
            lam, eta, Q, tau = (ops.take_along_axis(x, kind, axis=1) for x in (lam, eta, Q, tau))
        cosines = ops.sum(ops.take(directions, first, axis=1) * ops.take(directions, second, axis=1), axis=-1)
        bend = Q * (cosines + tau) ** 2
        weights = only_pairs(ops.take(g, first, axis=1) * ops.take(g, second, axis=1), is_pair)
        return ops.sum(lam * weights * (1.0 - ops.exp(-bend) + eta * bend), axis=-1)
