"""The potential of van Beest, Kramer and van Santen for silica (BKS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from keras_ff.potentials.classical import ClassicalPotential, Table
from keras_ff.potentials.coulomb import SHORTEST, Ewald, at_least
from keras_ff.potentials.sum import Sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.base import Potential


@keras.saving.register_keras_serializable("keras_ff")
class BKS(ClassicalPotential):
    """Buckingham's pair potential: the short-range term of the BKS potential of silica, without the Coulomb energy.

        v(r) = A exp(-b r) - C / r^6 + D / r^24,    r < cutoff

    It ends at the cutoff without shift, so the energy jumps there by C / cutoff^6. Without D the attraction wins below about 1.2 Å
    and atoms collapse; D keeps the atoms of hot systems apart. `BKS.silica` adds the Coulomb energy.

    Args:
        species: Chemical symbols.
        parameters: Dict of `A` (eV), `b` (1/Å), `C` (eV Å^6) and, if it is not 0, `D` (eV Å^24), each a number or a table of pairs.
        cutoff: Radius in Å.
        train: True, False, or the names of the parameters to train.

    Raises:
        ValueError: If a parameter is missing, unknown, of wrong shape, negative, or not symmetric.

    Example:
        >>> import keras_ff as kff
        >>> potential = kff.potentials.BKS(["O"], {"A": 1388.773, "b": 2.76, "C": 175.0}, cutoff=8.0)
        >>> potential.parameters()["C"].tolist()
        [[175.0]]

    Reference:
        van Beest, Kramer and van Santen, Phys. Rev. Lett. 64, 1955 (1990); D as in Sundararaman, Huang, Ispas and Kob,
        J. Chem. Phys. 148, 194504 (2018).
    """

    TABLES = {name: Table(symmetry=("pairs",)) for name in ("A", "b", "C", "D")}

    def __init__(
        self,
        species: str | Sequence[str],
        parameters: dict,
        cutoff: float = 10.0,
        train: bool | Sequence[str] = True,
        **kwargs,
    ):
        super().__init__(species, {"D": 0.0, **parameters}, cutoff, train, **kwargs)

    @classmethod
    def silica(cls, coulomb: Potential | None = None, cutoff: float = 10.0, D=0.0, **kwargs) -> Sum:
        """Make the BKS potential of SiO2 with the published parameters and charges, Coulomb energy included.

        Args:
            coulomb: Coulomb potential of the species Si, O; by default `Ewald` with the charges 2.4 and -1.2 and the same cutoff.
            cutoff: Radius in Å.
            D: Short-range repulsion in eV Å^24, a number or a table of pairs.
            kwargs: Further arguments of `BKS`, such as `dtype`.

        Returns:
            `Sum` of a `BKS` and the Coulomb potential, for the species Si, O.

        Example:
            >>> import keras_ff as kff
            >>> charges = kff.potentials.DampedShiftedForce(["Si", "O"], [2.4, -1.2], cutoff=10.0)
            >>> [type(term).__name__ for term in kff.potentials.BKS.silica(charges).terms()]
            ['BKS', 'DampedShiftedForce']
        """
        # The parameters of the paper.
        A = [[0.0, 18003.7572], [18003.7572, 1388.773]]
        b = [[0.0, 4.87318], [4.87318, 2.76]]
        C = [[0.0, 133.5381], [133.5381, 175.0]]
        short_range = cls(["Si", "O"], {"A": A, "b": b, "C": C, "D": D}, cutoff, **kwargs)
        return Sum([short_range, coulomb or Ewald(["Si", "O"], [2.4, -1.2], cutoff, dtype=kwargs.get("dtype"))])

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`."""
        A, b, C, D = self.of_pairs(neighborhood, *(self.value(name, neighborhood.dtype) for name in self.TABLES))
        r = at_least(neighborhood.distances, SHORTEST)
        inverse_sixth = 1.0 / r**6
        pair = A * ops.exp(-b * r) - C * inverse_sixth + D * inverse_sixth**4
        return 0.5 * ops.sum(pair * neighborhood.mask, axis=-1)
