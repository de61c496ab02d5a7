"""The potential of van Beest, Kramer and van Santen."""

import keras
from keras import ops

from keras_ff.potentials.classical import ClassicalPotential, Table
from keras_ff.potentials.coulomb import SHORTEST, Ewald, at_least
from keras_ff.potentials.sum import Sum


@keras.saving.register_keras_serializable("keras_ff")
class BKS(ClassicalPotential):
    """Buckingham's pair potential, the part of BKS that is not Coulomb energy.

        v(r) = A exp(-b r) - C / r^6 + D / r^24,    r < cutoff

    It ends at the cutoff without shift, so the energy jumps there by C / cutoff^6. Without D the attraction wins below some 1.2 Å
    and atoms collapse; D keeps hot systems apart.

    Args:
        species: Chemical symbols.
        parameters: Dict of `A` (eV), `b` (1/Å), `C` (eV Å^6) and, if it is not 0, `D` (eV Å^24), each a number or a table of pairs.
        cutoff: Radius in Å.
        train: True, False, or the names of the parameters to train.

    Reference:
        van Beest, Kramer and van Santen, Phys. Rev. Lett. 64, 1955 (1990); D as in Sundararaman, Huang, Ispas and Kob,
        J. Chem. Phys. 148, 194504 (2018).
    """

    TABLES = {name: Table(symmetry=("pairs",)) for name in ("A", "b", "C", "D")}

    def __init__(self, species, parameters, cutoff=10.0, train=True, **kwargs):
        super().__init__(species, {"D": 0.0, **parameters}, cutoff, train, **kwargs)

    @classmethod
    def silica(cls, coulomb=None, cutoff=10.0, D=0.0, **kwargs):
        """SiO2 with the published parameters and charges: the `Sum` of this potential and a Coulomb energy.

        Args:
            coulomb: Coulomb potential of the species Si, O; by default `Ewald` with the charges 2.4 and -1.2 and the same cutoff.
            cutoff: Radius in Å.
            D: Short-range repulsion in eV Å^24, a number or a table of pairs.
        """
        # Those of the paper
        A = [[0.0, 18003.7572], [18003.7572, 1388.773]]
        b = [[0.0, 4.87318], [4.87318, 2.76]]
        C = [[0.0, 133.5381], [133.5381, 175.0]]
        short_range = cls(["Si", "O"], {"A": A, "b": b, "C": C, "D": D}, cutoff, **kwargs)
        return Sum([short_range, coulomb or Ewald(["Si", "O"], [2.4, -1.2], cutoff)])

    def call(self, neighborhood):
        A, b, C, D = self.of_pairs(neighborhood, *(self.value(name, neighborhood.dtype) for name in self.TABLES))
        r = at_least(neighborhood.distances, SHORTEST)
        inverse_sixth = 1.0 / r**6
        pair = A * ops.exp(-b * r) - C * inverse_sixth + D * inverse_sixth**4
        return 0.5 * ops.sum(pair * neighborhood.mask, axis=-1)
