"""The potential of Stillinger and Weber."""

import keras
import numpy as np
from keras import ops

from keras_ff.potentials.classical import ClassicalPotential, Table, diagonal
from keras_ff.potentials.lammps_files import read_tables, write_tables

# Nearer to its cutoff than this, in units of sigma, a pair is left out: exp(-1000) is 0, and no derivative overflows.
EDGE = 1e-3


@keras.saving.register_keras_serializable("keras_ff")
class StillingerWeber(ClassicalPotential):
    """Two-body term and three-body term that favors one angle.

        E = sum_{i<j} epsilon A [B (sigma/r)^p - (sigma/r)^q] exp(sigma / (r - a sigma))
            + sum_i sum_{j<k} lam epsilon h_ij h_ik (cos theta_jik - cos_theta0)^2
        h_ij = exp(gamma sigma / (r_ij - a sigma))

    The three-body term is a polynomial in the cosine, so it is computed from moments
    of the neighbor density, at a cost that grows with the number of neighbors and not
    of their pairs.

    Args:
        species: Chemical symbols.
        parameters: Dict of `epsilon` (eV), `sigma` (Å), and the numbers `a`, `lam`, `gamma`, `cos_theta0`, `A`, `B`, `p`, `q`, each a
            single value or a table. `epsilon`, `lam` and `cos_theta0` belong to triplets (center, neighbor, neighbor), the others to
            pairs; the pair (i, j) has the epsilon of (i, j, j).
        cutoff: Radius in Å within which neighbors are listed; the largest a sigma by default. Beyond it nothing interacts, even if
            a sigma grows in a fit: leave it room.
        train: True, False, or the names of the parameters to train. The energy depends on epsilon only through its products with A
            and lam, so one of the three is better left out.

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

    def __init__(self, species, parameters, cutoff=None, train=True, **kwargs):
        if cutoff is None:
            cutoff = float(np.max(np.asarray(parameters["a"]) * np.asarray(parameters["sigma"])))
        super().__init__(species, parameters, cutoff, train, **kwargs)

    @classmethod
    def silicon(cls, **kwargs):
        """Silicon with the published parameters, as in the file Si.sw of LAMMPS."""
        values = (2.1683, 2.0951, 1.8, 21.0, 1.2, -1 / 3, 7.049556277, 0.6022245584, 4.0, 0.0)
        return cls(["Si"], dict(zip(cls.TABLES, values)), **kwargs)

    @classmethod
    def from_lammps(cls, path, species=None, **kwargs):
        """Read a `.sw` file of LAMMPS in metal units.

        Args:
            path: The file.
            species: Elements in the order of the batches; by default all of the file.

        Raises:
            ValueError: If an entry is missing, broken, or has a value that cannot be; the text names file and line.
        """
        species, parameters = read_tables(path, cls.COLUMNS, cls.TABLES, species, _tolerance)
        return cls(species, parameters, **kwargs)

    def to_lammps(self, path):
        """Write the parameters as a `.sw` file of LAMMPS, with all digits."""
        write_tables(path, self.COLUMNS, self.TABLES, self.species, self.parameters())

    def call(self, neighborhood):
        dtype = neighborhood.dtype
        table = {name: self.value(name, dtype) for name in self.TABLES}
        reach = ops.minimum(table["a"] * table["sigma"], self.cutoff)
        epsilon, sigma, reach, gamma, A, B, p, q = self.of_pairs(
            neighborhood, diagonal(table["epsilon"]), table["sigma"], reach, *(table[name] for name in ("gamma", "A", "B", "p", "q"))
        )
        r = neighborhood.distances
        inside = ops.logical_and(neighborhood.is_neighbor, ops.logical_and(reach - r > EDGE * sigma, r > 0))
        r = ops.where(inside, r, 1.0)
        # Sigma is 0 where two elements do not interact.
        sigma = ops.where(inside, sigma, 1.0)
        exponent = sigma / ops.where(inside, r - reach, -1.0)
        shrink = ops.log(sigma / r)
        pair = epsilon * A * (B * ops.exp(p * shrink) - ops.exp(q * shrink)) * ops.exp(exponent)
        h = ops.where(inside, ops.exp(gamma * exponent), 0.0)
        directions = neighborhood.vectors / r[..., None]
        pairs = 0.5 * ops.sum(ops.where(inside, pair, 0.0), axis=-1)
        return pairs + self._triplets(neighborhood, table, h, directions)

    def _triplets(self, neighborhood, table, h, directions):
        """Half the sum over ordered pairs of neighbors, from moments of the density, minus that of neighbors with themselves."""
        count = len(self.species)
        strength, cosine = table["lam"] * table["epsilon"], table["cos_theta0"]
        if count == 1:
            h, strength, cosine = h[..., None], strength[0], cosine[0]
        else:
            is_species = ops.one_hot(neighborhood.neighbor_species, count, dtype=neighborhood.dtype)
            h = h[..., None] * is_species
            strength, cosine = (ops.take(x, neighborhood.center_species, axis=0) for x in (strength, cosine))
        m0 = ops.sum(h, axis=1)
        m1 = ops.einsum("aks,aki->asi", h, directions)
        m2 = ops.einsum("aksi,akj->asij", h[..., None] * directions[:, :, None, :], directions)
        squares = ops.einsum("asij,atij->ast", m2, m2)
        products = ops.einsum("asi,ati->ast", m1, m1)
        sums = squares - 2.0 * cosine * products + cosine * cosine * m0[:, :, None] * m0[:, None, :]
        own_strength, own_cosine = (ops.sum(x * np.eye(count), axis=-1) for x in (strength, cosine))
        own = own_strength * (1.0 - own_cosine) ** 2 * ops.sum(h * h, axis=1)
        return 0.5 * (ops.sum(strength * sums, axis=(1, 2)) - ops.sum(own, axis=-1))


def _tolerance(entry):
    if entry.values["tol"] != 0:
        return f"tol is {entry.values['tol']:g}. A tolerance shortens the cutoff in LAMMPS; only 0 can be read."
    return None
