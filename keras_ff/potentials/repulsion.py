"""Potentials of short-range repulsion, which keep atoms apart where a network has no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

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
        cutoff: Radius in Å; shorter than the bonds that other terms describe.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If a species is no chemical element.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.Sum([kff.potentials.NeuralIL(["Si"], n_max=2), kff.potentials.ZBL(["Si"])])
        >>> [term.cutoff for term in potential.terms()]
        [5.0, 2.0]

    Reference:
        Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Solids (1985).
    """

    def __init__(self, species: str | Sequence[str], cutoff: float = 2.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        # Deferred: the physics of the other potentials needs no ASE.
        from ase.data import atomic_numbers

        unknown = [symbol for symbol in self.species if symbol not in atomic_numbers]
        if unknown:
            raise ValueError(f"ZBL needs chemical elements. Received species={self.species}, of which {unknown} are none.")
        self.charges = np.array([atomic_numbers[symbol] for symbol in self.species], dtype="float64")

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        charges = ops.convert_to_tensor(self.charges, dtype=neighborhood.dtype)
        powers = ops.convert_to_tensor(self.charges**0.23, dtype=neighborhood.dtype)
        center, other = neighborhood.center_species[:, None], neighborhood.neighbor_species
        r = ops.where(neighborhood.distances > 0.0, neighborhood.distances, 1e-3)
        x = r * (ops.take(powers, center) + ops.take(powers, other)) / ZBL_LENGTH
        screening = sum(c * ops.exp(-d * x) for c, d in zip(ZBL_COEFFICIENTS, ZBL_EXPONENTS))
        pair = COULOMB_CONSTANT * ops.take(charges, center) * ops.take(charges, other) / r * screening
        return 0.5 * ops.sum(pair * polynomial_cutoff(r, self.cutoff) * neighborhood.mask, axis=-1)


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
