"""The potential of Tersoff."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.inner_neighbors import neighbor_pairs, only_pairs
from keras_ff.potentials.classical import Table, at_most, diagonal
from keras_ff.potentials.lammps_files import LammpsPotential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.lammps_files import Entry

# Largest exponent of the asymmetry of two bonds, as in LAMMPS. Single precision needs a smaller one, for the derivatives not to
# overflow; a bond that reaches it is weaker than its accuracy.
LARGEST_EXPONENT = {"float64": 69.0776, "float32": 46.0}
# A smaller beta zeta counts as 0: the bond order is 1 to rounding, and the derivatives of the logarithm do not overflow.
NO_NEIGHBOR = {"float64": 1e-60, "float32": 1e-15}


@keras.saving.register_keras_serializable("keras_ff")
class Tersoff(LammpsPotential):
    """Potential of Tersoff: bonds that are weaker, the more other neighbors an atom has.

        E = 1/2 sum_i sum_{j != i} fC(r_ij) [ A exp(-lambda1 r_ij) - b_ij B exp(-lambda2 r_ij) ]
        b_ij = (1 + (beta zeta_ij)^n)^(-1/(2n))
        zeta_ij = sum_{k != i,j} fC(r_ik) g(cos theta_jik) exp[ (lambda3 (r_ij - r_ik))^m ]
        g = gamma [ 1 + c^2/d^2 - c^2/(d^2 + (cos theta - cos_theta0)^2) ]
        fC = 1 within R - D, 1/2 - 1/2 sin(pi/2 (r - R)/D) up to R + D

    Energy and forces are continuous; force constants jump at R - D and R + D.

    Args:
        species: Chemical symbols.
        parameters: Dict of `A`, `B` (eV), `lambda1`, `lambda2`, `lambda3` (1/Å), `R`, `D` (Å), and the numbers `m`, `gamma`, `c`,
            `d`, `cos_theta0`, `n`, `beta`, each a single value or a table. `n`, `beta`, `lambda1`, `lambda2`, `A`, `B` belong to
            pairs (center, neighbor), the others to triplets (center, neighbor j, neighbor k); the pair (i, j) has the R and D of
            (i, j, j). `m` is 1 or 3 and is never trained.
        cutoff: Radius in Å within which neighbors are listed; the largest R + D by default. A fit cannot move an R + D beyond it:
            leave it room.
        train: True, False, or the names of the parameters to train.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, has a value that is not allowed, or is not symmetric where
            it must be.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.Tersoff.silicon(train=["A", "B"])
        >>> potential.cutoff, potential.parameters()["A"].tolist()
        (3.2, [[3264.7]])

    Reference:
        Tersoff, Phys. Rev. B 37, 6991 (1988), eqs. 1-2; several elements Phys. Rev. B 39, 5566 (1989), eqs. 1-3, in the more
        general form of LAMMPS, `pair_style tersoff`.
    """

    TABLES = {
        "m": Table(rank=3, fixed=True),
        "gamma": Table(rank=3),
        "lambda3": Table(rank=3, positive=False),
        "c": Table(rank=3),
        "d": Table(rank=3),
        "cos_theta0": Table(rank=3, positive=False),
        "n": Table(),
        "beta": Table(),
        "lambda2": Table(),
        "B": Table(),
        "R": Table(rank=3, symmetry=("pairs",)),
        "D": Table(rank=3, symmetry=("pairs",)),
        "lambda1": Table(symmetry=("pairs",)),
        "A": Table(symmetry=("pairs",)),
    }
    COLUMNS = tuple(TABLES)

    def __init__(
        self,
        species: str | Sequence[str],
        parameters: dict,
        cutoff: float | None = None,
        train: bool | Sequence[str] = True,
        **kwargs,
    ):
        super().__init__(species, parameters, cutoff, train, **kwargs)
        for indices in itertools.product(range(len(self.species)), repeat=3):
            values = {name: table[indices[: table.ndim]] for name, table in self.start.items()}
            if problem := _problem(values, indices[1] == indices[2]):
                raise ValueError(f"Tersoff, entry {' '.join(self.species[index] for index in indices)}: {problem}")

    @staticmethod
    def reach(parameters: dict[str, np.ndarray]) -> float:
        """Return the largest R + D in Å."""
        return np.max(parameters["R"] + parameters["D"])

    @classmethod
    def silicon(cls, **kwargs) -> Tersoff:
        """Make the potential of silicon of 1988 that describes its surfaces, as in the file Si.tersoff of LAMMPS.

        Args:
            kwargs: Further arguments of `Tersoff`, such as `train`.
        """
        values = (3, 1.0, 1.3258, 4.8381, 2.0417, 0.0, 22.956, 0.33675, 1.3258, 95.373, 3.0, 0.2, 3.2394, 3264.7)
        return cls(["Si"], dict(zip(cls.TABLES, values)), **kwargs)

    @staticmethod
    def problem(entry: Entry) -> str | None:
        """Return what is wrong with an `Entry` beyond the signs of its numbers, or None."""
        return _problem(entry.values, entry.elements[1] == entry.elements[2])

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters as they are now, see `ClassicalPotential.parameters`; no R + D exceeds the cutoff."""
        now = super().parameters()
        R, D = now["R"], now["D"]
        return {**now, "R": np.where(R + D > self.cutoff, self.cutoff - D, R)}

    def intermediates(self, neighbors: int) -> int:
        """Return the number of ordered pairs of neighbors, see `Potential.intermediates`."""
        return max(neighbors, neighbors * (neighbors - 1))

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        dtype = neighborhood.dtype
        table = {name: self.value(name, dtype) for name in self.TABLES}
        table["reach"] = at_most(table["R"] + table["D"], self.cutoff)
        # Zeros stand where elements do not interact.
        table.update({name: ops.where(table[name] > 0, table[name], 1.0) for name in ("d", "n", "D")})
        n, beta, lambda1, lambda2, A, B, reach, D = self.of_pairs(
            neighborhood,
            *(table[name] for name in ("n", "beta", "lambda1", "lambda2", "A", "B")),
            *(diagonal(table[name]) for name in ("reach", "D")),
        )
        is_pair = ops.logical_and(neighborhood.is_neighbor, neighborhood.distances > 0)
        r = ops.where(is_pair, neighborhood.distances, 1.0)
        present = ops.where(is_pair, fade(r, reach, D), 0.0)
        b = bond_order(beta * self._zeta(neighborhood, table, r, is_pair, present), n)
        bonds = present * (A * ops.exp(-lambda1 * r) - b * B * ops.exp(-lambda2 * r))
        return 0.5 * ops.sum(bonds, axis=-1)

    def _zeta(self, neighborhood, table, r, is_pair, present):
        """zeta_ij of each bond, `(atoms, neighbors j)`: a sum over the other neighbors k."""
        columns = ops.shape(r)[1]
        # A flat axis of all j != k is faster than two axes and a mask.
        first, second, differ = neighbor_pairs(columns, ordered=True)

        def of_j(x):
            return ops.take(x, first, axis=1)

        def of_k(x):
            return ops.take(x, second, axis=1)

        names = ("m", "gamma", "lambda3", "c", "d", "cos_theta0", "reach", "D")
        count = len(self.species)
        values = [ops.reshape(table[name], () if count == 1 else (-1,)) for name in names]
        if count == 1:
            present = of_k(present)
        else:
            kinds = neighborhood.neighbor_species
            index = (neighborhood.center_species[:, None] * count + of_j(kinds)) * count + of_k(kinds)
            values = [ops.take(value, index) for value in values]
            present = ops.where(of_k(is_pair), fade(of_k(r), *values[-2:]), 0.0)
        m, gamma, lambda3, c, d, cos_theta0, _, _ = values
        directions = neighborhood.vectors / r[..., None]
        bend = (ops.sum(of_j(directions) * of_k(directions), axis=-1) - cos_theta0) ** 2
        # Without the difference of two large numbers of the formula above.
        g = gamma * (1.0 + c * c * bend / (d * d * (d * d + bend)))
        stretch = lambda3 * (of_j(r) - of_k(r))
        cube = stretch * stretch * stretch
        stretch = cube if (self.start["m"] == 3).all() else ops.where(m == 3, cube, stretch)
        largest = LARGEST_EXPONENT[keras.backend.standardize_dtype(r.dtype)]
        weights = present * g * ops.exp(ops.minimum(stretch, largest))
        rows = ops.shape(r)[0], columns, columns - 1 if differ is None else columns
        return ops.sum(ops.reshape(only_pairs(weights, differ), rows), axis=-1)


def fade(r, reach, D):
    """Cutoff function fC of Tersoff: 1 up to reach - 2 D, 0 from `reach` on, half a sine wave between.

    Args:
        r: Distances of any shape, in Å.
        reach: R + D in Å.
        D: Half of the width of the step in Å.

    Example:
        >>> import numpy as np
        >>> from keras_ff.potentials.tersoff import fade
        >>> [round(float(fade(np.float64(r), 3.2, 0.2)), 4) for r in (2.8, 3.0, 3.2)]
        [1.0, 0.5, 0.0]
    """
    x = ops.clip((reach - r) / D, 0.0, 2.0)
    return ops.sin((0.25 * np.pi) * x) ** 2


def bond_order(x, n):
    """Bond order of Tersoff, (1 + x^n)^(-1/(2n)), through the logarithm of x: x^n alone overflows.

    Args:
        x: beta zeta of any shape, 0 or more.
        n: Exponent, positive.
    """
    present = x > NO_NEIGHBOR[keras.backend.standardize_dtype(x.dtype)]
    order = ops.exp(-0.5 / n * backend.softplus(n * ops.log(ops.where(present, x, 1.0))))
    return ops.where(present, order, 1.0)


def _problem(values, is_pair):
    """What is wrong with one entry, or None."""
    if values["m"] not in (1, 3):
        return f"m is {values['m']:g}, and must be 1 or 3."
    R, D = values["R"], values["D"]
    if D > R or (D == 0 and R > 0):
        return f"D is {D:g}, and must be positive and not larger than R, which is {R:g}."
    if R > 0 and values["d"] == 0:
        return "d is 0, and must be positive."
    if is_pair and values["B"] > 0 and values["n"] == 0:
        return "n is 0, and must be positive where B is."
    return None
