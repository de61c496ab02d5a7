"""Potentials of short-range repulsion, which keep atoms apart where a network has no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.cutoffs import polynomial_cutoff
from keras_ff.potentials.base import Potential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood

# e²/(4 pi epsilon_0) in eV Å, from the CODATA 2018 values.
COULOMB_CONSTANT = 14.399645478425668

# Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Solids (1985)
ZBL_COEFFICIENTS = (0.18175, 0.50986, 0.28022, 0.02817)
ZBL_EXPONENTS = (3.19980, 0.94229, 0.40290, 0.20162)
ZBL_LENGTH = 0.46850


@keras.saving.register_keras_serializable("keras_ff")
class ZBL(Potential):
    """Repulsion of Ziegler, Biersack and Littmark: the universal screened Coulomb energy of nuclei, without parameters to fit.

        v(r) = e²/(4 pi epsilon_0) Z_i Z_j / r * sum_k c_k exp(-d_k r / a) * fc(r)
        a = 0.46850 Å / (Z_i^0.23 + Z_j^0.23)

    where fc is `polynomial_cutoff`, so that two derivatives are continuous.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å, a number or a symmetric table `(species, species)`; shorter than the bonds that other terms describe.
        onset: Fraction of the cutoff up to which nothing is taken away; fc falls from 1 there to 0 at the cutoff.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a species is no chemical element, a radius is not positive, or the onset is not below 1.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.Sum([kff.potentials.NeuralIL(["Si"], n_max=2), kff.potentials.ZBL(["Si"])])
        >>> [term.cutoff for term in potential.terms()]
        [5.0, 2.0]

    Reference:
        Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Solids (1985).
    """

    def __init__(self, species: str | Sequence[str], cutoff=2.0, onset: float = 0.0, **kwargs):
        cutoffs = np.asarray(cutoff, dtype="float64")
        super().__init__(species, float(cutoffs.max()), **kwargs)
        count = len(self.species)
        if cutoffs.shape not in ((), (count, count)) or not (cutoffs > 0).all() or (cutoffs != cutoffs.T).any():
            raise ValueError(
                f"The cutoff is a positive number or a symmetric table {(count, count)} in Å. Received cutoff={cutoff}."
            )
        if not 0 <= onset < 1:
            raise ValueError(f"The onset is a fraction of the cutoff, from 0 to below 1. Received onset={onset}.")
        self.cutoffs, self.onset = cutoffs, float(onset)
        # Deferred: the physics of the other potentials needs no ASE.
        from ase.data import atomic_numbers

        unknown = [symbol for symbol in self.species if symbol not in atomic_numbers]
        if unknown:
            raise ValueError(f"ZBL needs chemical elements. Received species={self.species}, of which {unknown} are none.")
        charges = np.array([atomic_numbers[symbol] for symbol in self.species], dtype="float64")
        powers = charges**0.23
        # Strength in eV Å, screening length a, and cutoff of each pair of elements.
        self._tables = (
            COULOMB_CONSTANT * np.outer(charges, charges),
            ZBL_LENGTH / (powers[:, None] + powers),
            np.broadcast_to(cutoffs, (count, count)),
        )

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        products, lengths, reach = (self._of_pairs(table, neighborhood) for table in self._tables)
        near = ops.logical_and(neighborhood.is_neighbor, neighborhood.distances < reach)

        def repulsion(r):
            r = ops.where(r > 0.0, r, 1e-3)
            x = r / lengths
            screening = sum(c * ops.exp(-d * x) for c, d in zip(ZBL_COEFFICIENTS, ZBL_EXPONENTS))
            pair = products / r * screening * polynomial_cutoff(r, reach, self.onset * reach)
            return 0.5 * ops.sum(ops.where(near, pair, 0.0), axis=-1)

        def nothing(r):
            return ops.sum(ops.zeros_like(r), axis=-1)

        # In most structures no atoms are that close.
        return backend.cond(ops.any(near), repulsion, nothing, neighborhood.distances)

    def _of_pairs(self, table, neighborhood):
        """Entries of a table of pairs for each atom and its neighbors; a number if there is one species."""
        if len(self.species) == 1:
            return float(table[0, 0])
        index = neighborhood.center_species[:, None] * len(self.species) + neighborhood.neighbor_species
        return ops.take(ops.convert_to_tensor(table.ravel(), dtype=neighborhood.dtype), index)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "cutoff": self.cutoffs.tolist(), "onset": self.onset}

    def with_species(self, twins: dict[str, str]) -> ZBL:
        """Make a potential that knows more elements, with their charges and the cutoffs of their twins; see `Learned`."""
        species, indices = with_twins(self.species, twins)
        cutoffs = self.cutoffs[np.ix_(indices, indices)] if self.cutoffs.ndim else self.cutoffs
        return ZBL(species, cutoffs, self.onset, dtype=self.dtype_policy)


@keras.saving.register_keras_serializable("keras_ff")
class RepulsiveMorse(Potential):
    """Repulsion of Morse: the repulsive term of his potential, with trainable parameters for each element.

        v(r) = D exp(-2 alpha (r - r_0)) * fc(r)

    with D = sqrt(D_i D_j), alpha and r_0 the means of those of the two elements, and
    fc = `polynomial_cutoff`, so that two derivatives are continuous. The parameters
    stay positive: their logarithms are the weights.

    Args:
        species: Chemical symbols.
        well_depth: D in eV, a number or one for each species.
        stiffness: alpha in 1/Å, a number or one for each species.
        bond_length: r_0 in Å, a number or one for each species.
        cutoff: Radius in Å.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a parameter is not positive.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.RepulsiveMorse(["Si", "O"], bond_length=[2.2, 1.4])
        >>> len(potential.trainable_weights)
        3

    Reference:
        Morse, Phys. Rev. 34, 57 (1929), eq. 4; used with networks by Montes-Campos et al.,
        J. Chem. Inf. Model. 62, 88 (2022).
    """

    def __init__(self, species: str | Sequence[str], well_depth=1.0, stiffness=2.0, bond_length=1.5, cutoff: float = 3.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.start = {"well_depth": well_depth, "stiffness": stiffness, "bond_length": bond_length}
        for name, value in self.start.items():
            values = np.broadcast_to(np.asarray(value, dtype="float64"), len(self.species))
            if not (values > 0).all():
                raise ValueError(f"{name} must be positive. Received {name}={value}.")
            setattr(self, f"log_{name}", self.add_parameter(f"log_{name}", np.log(values)))

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        center, other = neighborhood.center_species[:, None], neighborhood.neighbor_species

        def both(weight):
            values = ops.exp(weight)
            return ops.take(values, center), ops.take(values, other)

        depths, stiffnesses, lengths = (both(weight) for weight in (self.log_well_depth, self.log_stiffness, self.log_bond_length))
        r = neighborhood.distances
        stretch = 0.5 * sum(stiffnesses) * (r - 0.5 * sum(lengths))
        pair = ops.sqrt(depths[0] * depths[1]) * ops.exp(-2.0 * stretch) * polynomial_cutoff(r, self.cutoff)
        return 0.5 * ops.sum(pair * neighborhood.mask, axis=-1)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), **{name: np.asarray(value).tolist() for name, value in self.start.items()}}

    def with_species(self, twins: dict[str, str]) -> RepulsiveMorse:
        """Make a potential that knows more elements, with the parameters of their twins; see `Learned`."""
        species, indices = with_twins(self.species, twins)
        values = {name: np.exp(ops.convert_to_numpy(getattr(self, f"log_{name}")))[indices] for name in self.start}
        return RepulsiveMorse(species, **values, cutoff=self.cutoff, dtype=self.dtype_policy)


def with_twins(species: Sequence[str], twins: dict[str, str]) -> tuple[list[str], list[int]]:
    """Species with new ones, and for each the index of the one whose parameters it has.

    Args:
        species: Chemical symbols.
        twins: Dict from each new chemical symbol to one of `species`.

    Example:
        >>> from keras_ff.potentials.repulsion import with_twins
        >>> with_twins(["Si", "C"], {"Ge": "Si"})
        (['Si', 'C', 'Ge'], [0, 1, 0])
    """
    species = list(species)
    return [*species, *twins], [*range(len(species)), *(species.index(twin) for twin in twins.values())]
