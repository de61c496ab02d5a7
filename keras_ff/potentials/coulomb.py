"""Energies of point charges: damped and cut off, or exact in a crystal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras
from keras import ops

from keras_ff import backend
from keras_ff.arguments import not_negative, positive
from keras_ff.geometry import determinant, inverse
from keras_ff.potentials.classical import ClassicalPotential, Table
from keras_ff.potentials.long_range import LongRange
from keras_ff.potentials.repulsion import COULOMB_CONSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood

# Atoms that are nearer than this, in Å, have the energy at this distance: all derivatives are finite, also of 1/r^24 in float32.
SHORTEST = 0.1


class _Coulomb(ClassicalPotential):
    """Base of Coulomb energies: half the sum over neighbors of `charge_i charge_j pair(r)`, and the self-energies."""

    TABLES = {"charge": Table(rank=1, positive=False)}

    def __init__(self, species, charges, cutoff, train=False, coulomb_constant=COULOMB_CONSTANT, **kwargs):
        super().__init__(species, {"charge": charges}, cutoff, train, **kwargs)
        self.coulomb_constant = positive("coulomb_constant", coulomb_constant, "eV Å")

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        charges = self.value("charge", neighborhood.dtype)
        own, others = (ops.take(charges, index) for index in (neighborhood.center_species, neighborhood.neighbor_species))
        pairs = others * self.pair(at_least(neighborhood.distances, SHORTEST)) * neighborhood.mask
        return self.coulomb_constant * (0.5 * own * ops.sum(pairs, axis=-1) + own * own * self.self_energy())

    def pair(self, r):
        """Compute what takes the place of 1/r in Coulomb's law, in 1/Å, at distances r in Å."""
        raise NotImplementedError

    def self_energy(self):
        """Return the energy of a charge of 1 with itself, a number in 1/Å."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        config = super().get_config()
        charges = config.pop("parameters")["charge"]
        return {**config, "charges": charges, "coulomb_constant": self.coulomb_constant}


@keras.saving.register_keras_serializable("keras_ff")
class DampedShiftedForce(_Coulomb):
    """Coulomb energy of point charges, damped and shifted so that energy and force vanish at the cutoff.

        v(r) = K q_i q_j [ f(r) - f(R) - (r - R) f'(R) ],    f(r) = erfc(alpha r) / r,    r < R
        E = sum_{i<j} v(r_ij) - K sum_i q_i^2 [ (f(R) - R f'(R)) / 2 + alpha / sqrt(pi) ]

    with the cutoff R and K = `coulomb_constant`. It approximates the energy of a neutral system, periodic or not, and is strictly
    local.

    Args:
        species: Chemical symbols.
        charges: Charges in units of e, one for each species.
        alpha: Damping in 1/Å; 0.2 to 0.3 is usual for cutoffs of 8 to 12 Å.
        cutoff: Radius in Å.
        train: Whether the charges are trained. They need not stay neutral in a fit.
        coulomb_constant: e²/(4 pi epsilon_0) in eV Å. The units "metal" of LAMMPS have 14.399645.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If `alpha` is negative, or the constant is not positive.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.DampedShiftedForce(["Na", "Cl"], charges=[1.0, -1.0], cutoff=10.0)
        >>> abs(round(float(potential.pair(10.0)), 6))
        0.0

    Reference:
        Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006); the self-energy as in LAMMPS, `pair_style coul/dsf`.
    """

    def __init__(self, species: str | Sequence[str], charges, alpha: float = 0.25, cutoff: float = 10.0, **kwargs):
        super().__init__(species, charges, cutoff, **kwargs)
        self.alpha = not_negative("alpha", alpha)
        edge, x = self.cutoff, self.alpha * self.cutoff
        self.edge_value = math.erfc(x) / edge
        self.edge_slope = -math.erfc(x) / edge**2 - 2.0 * self.alpha / math.sqrt(math.pi) * math.exp(-x * x) / edge

    def pair(self, r):
        """Compute what takes the place of 1/r in Coulomb's law, in 1/Å, at distances r in Å."""
        return backend.erfc(self.alpha * r) / r - self.edge_value - (r - self.cutoff) * self.edge_slope

    def self_energy(self):
        """Return the energy of a charge of 1 with itself, a number in 1/Å."""
        return -0.5 * (self.edge_value - self.cutoff * self.edge_slope) - self.alpha / math.sqrt(math.pi)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "alpha": self.alpha}


@keras.saving.register_keras_serializable("keras_ff")
class Ewald(LongRange, _Coulomb):
    """Coulomb energy of point charges in a crystal by Ewald's method, all periodic images included.

        E = K [ 1/2 sum_{i,j} q_i q_j erfc(alpha r_ij) / r_ij
                + 2 pi / V sum_{k != 0} exp(-k^2 / 4 alpha^2) / k^2 |sum_i q_i exp(i k r_i)|^2
                - alpha / sqrt(pi) sum_i q_i^2  -  pi / (2 V alpha^2) (sum_i q_i)^2 ]

    with K = `coulomb_constant`. The last term is a uniform background that makes a charged cell neutral. The first sum ends at the
    cutoff and the second at |k| = `wave_cutoff`, where their terms have fallen to the fraction `accuracy` of their values without
    damping: alpha and `wave_cutoff` follow from that. As the second sum is one over all atoms, the potential is not local; see
    `LongRange`. It needs three periodic directions. The energy jumps by a fraction of about `accuracy` as neighbors and waves come
    and go.

    The number of waves grows with the volume: the second sum takes a time proportional to atoms squared, and arrays of atoms times
    the waves of two axes. Energy, forces and stress of alpha-quartz with a cutoff of 10 Å take, on one core with JAX in float64,
    22 µs per atom for 72 atoms, 8 of them for the waves, and 34 µs for 576, 24 of them; in float32 21 µs with 5, and 18 µs with 9.

    Args:
        species: Chemical symbols.
        charges: Charges in units of e, one for each species.
        cutoff: Radius in Å of the first sum. The results do not depend on it, the time does: a smaller one takes more waves.
        accuracy: Relative size of the terms that are left out, from 1e-16 to 1e-2.
        train: Whether the charges are trained. They need not stay neutral in a fit.
        coulomb_constant: e²/(4 pi epsilon_0) in eV Å. The units "metal" of LAMMPS have 14.399645.
        kwargs: Arguments of Keras layers.

    Attributes:
        alpha: Damping in 1/Å.
        wave_cutoff: Highest wave number in 1/Å of the second sum.

    Raises:
        ValueError: If the accuracy is not in its range, or the constant is not positive.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.Ewald(["Na", "Cl"], charges=[1.0, -1.0], cutoff=10.0, accuracy=1e-8)
        >>> round(potential.alpha, 4), round(potential.wave_cutoff, 4)
        (0.4292, 3.6841)

    Reference:
        Ewald, Ann. Phys. 369, 253 (1921); de Leeuw, Perram and Smith, Proc. R. Soc. A 373, 27 (1980), with conducting surroundings.
    """

    def __init__(self, species: str | Sequence[str], charges, cutoff: float = 10.0, accuracy: float = 1e-8, **kwargs):
        super().__init__(species, charges, cutoff, **kwargs)
        if not 1e-16 <= accuracy <= 1e-2:
            raise ValueError(f"The accuracy is a number from 1e-16 to 1e-2. Received accuracy={accuracy}.")
        self.accuracy = float(accuracy)
        reach = math.sqrt(-math.log(self.accuracy))
        self.alpha = reach / self.cutoff
        self.wave_cutoff = 2.0 * self.alpha * reach

    def pair(self, r):
        """Compute what takes the place of 1/r in Coulomb's law, in 1/Å, at distances r in Å."""
        return backend.erfc(self.alpha * r) / r

    def self_energy(self):
        """Return the energy of a charge of 1 with itself, a number in 1/Å."""
        return -self.alpha / math.sqrt(math.pi)

    def long_range(self, positions, species, cell, waves):
        """Compute the sum over waves and the background as atomic energies in eV; see `LongRange.long_range`."""
        dtype = positions.dtype
        charges = ops.where(species >= 0, ops.take(self.value("charge", dtype), ops.maximum(species, 0)), 0.0)
        volume = ops.abs(determinant(cell))
        exists = volume > 0
        volume = ops.where(exists, volume, 1.0)[:, None]
        reciprocal = inverse(ops.where(exists[:, None, None], cell, ops.eye(3, dtype=dtype)))
        fractions = ops.einsum("sai,sid->sad", positions, reciprocal)
        # Whole turns are taken off: in float32 they would cost digits.
        turns = 2.0 * math.pi * (fractions - ops.floor(fractions))
        first, second, third = _numbers(waves, dtype)
        pair = _product(_phases(turns[..., 0], first), _phases(turns[..., 1], second))
        third = _phases(turns[..., 2], third[ops.shape(third)[0] // 2 :])
        potential = _potential(charges, pair, third, self._strengths(reciprocal, waves)) / volume
        background = ops.sum(charges, axis=1, keepdims=True) * math.pi / (2.0 * self.alpha**2) / volume
        energies = self.coulomb_constant * charges * (potential - background)
        return ops.where(exists[:, None], energies, 0.0)

    def _strengths(self, reciprocal, waves):
        """2 pi exp(-k²/4 alpha²) / k², times the number of waves, in the shape of `waves`."""
        counts = ops.cast(waves, reciprocal.dtype)
        first, second, third = _numbers(waves, reciprocal.dtype)
        numbers = (first[:, None, None], second[:, None], third)
        k = [2.0 * math.pi * sum(reciprocal[:, axis, d, None, None, None] * numbers[d] for d in range(3)) for axis in range(3)]
        squared = ops.where(counts > 0, sum(component * component for component in k), 1.0)
        return counts * 2.0 * math.pi * ops.exp(-squared / (4.0 * self.alpha**2)) / squared

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "accuracy": self.accuracy}


def at_least(lengths, shortest: float):
    """Lengths no smaller than `shortest`, with derivative 0 below it.

    Args:
        lengths: Tensor of any shape, in Å.
        shortest: Smallest length in Å.
    """
    return ops.where(lengths > shortest, lengths, shortest)


def _numbers(waves, dtype):
    """The whole numbers along each axis of `waves`: from 0 on the first, about 0 on the others."""
    first, second, third = ops.shape(waves)[1:]
    ranges = (ops.arange(first), ops.arange(second) - second // 2, ops.arange(third) - third // 2)
    return tuple(ops.cast(numbers, dtype) for numbers in ranges)


def _phases(turns, numbers):
    """Cosines and sines of angles `(structures, atoms)` times the numbers, `(structures, atoms, numbers)`."""
    angles = turns[..., None] * numbers
    return ops.cos(angles), ops.sin(angles)


def _product(first, second):
    """Cosines and sines of all sums of two angles, `(structures, atoms, first x second)`."""
    (c1, s1), (c2, s2) = ([x[:, :, :, None] for x in first], [x[:, :, None, :] for x in second])
    shape = ops.shape(first[0])[:2]
    return tuple(ops.reshape(x, (*shape, -1)) for x in (c1 * c2 - s1 * s2, s1 * c2 + c1 * s2))


def _potential(charges, pair, third, strengths):
    """Potential at each atom, `(structures, atoms)`: sum over waves of strength x Re[exp(i k r_a) conj(sum_b q_b exp(i k r_b))].

    Waves that differ in the sign of n_3 are made of the same products of cosines and sines, so that `third` has those of n_3 >= 0
    only, and the strengths are split into even and odd functions of n_3.
    """
    pair, third = ops.concatenate(pair, axis=-1), ops.concatenate(third, axis=-1)
    sums = ops.einsum("sap,sac->spc", pair, charges[..., None] * third)
    shape = ops.shape(strengths)
    half, width = shape[1] * shape[2], shape[3] // 2 + 1
    strengths = ops.reshape(strengths, (shape[0], half, shape[3]))
    above, below = strengths[..., width - 1 :], ops.flip(strengths[..., :width], axis=-1)
    # n_3 = 0 is in both.
    once = ops.where(ops.arange(width) > 0, 1.0, ops.cast(0.5, strengths.dtype))
    even, odd = once * (above + below), once * (above - below)
    cc, cs, sc, ss = (sums[:, rows, columns] for rows in _halves(half) for columns in _halves(width))
    upper = ops.concatenate([even * cc - odd * ss, even * cs + odd * sc], axis=2)
    lower = ops.concatenate([even * sc + odd * cs, even * ss - odd * cc], axis=2)
    return ops.sum(ops.einsum("sap,spc->sac", pair, ops.concatenate([upper, lower], axis=1)) * third, axis=-1)


def _halves(size):
    return slice(None, size), slice(size, None)
