"""The role of potentials of long range, whose energies are not functions of the neighbors alone."""

from __future__ import annotations

import abc


class LongRange(abc.ABC):
    """Role of a potential of long range: its energy is that of `call`, a function of the neighbors, plus a sum over waves.

    A subclass inherits from `Potential` too, as `Ewald` does, sets `wave_cutoff` and writes `long_range`.

    Attributes:
        wave_cutoff: Highest wave number in 1/Å that `long_range` sums over.

    Example:
        >>> import keras_ff as kff
        >>> isinstance(kff.potentials.Ewald(["Na", "Cl"], charges=[1.0, -1.0]), kff.potentials.LongRange)
        True
    """

    wave_cutoff: float

    @abc.abstractmethod
    def long_range(self, positions, species, cell, waves):
        """Compute the energies that `call` leaves out. Structures without a cell are padding and get 0.

        Args:
            positions: `(structures, atoms, 3)`, in Å.
            species: int `(structures, atoms)`, -1 is padding.
            cell: `(structures, 3, 3)`, rows are lattice vectors, in Å.
            waves: int `(structures, N1, N2, N3)`, how often each wave counts; see `keras_ff.data.waves.lattice_waves`.

        Returns:
            Tensor of atomic energies `(structures, atoms)` in eV, 0 for padding.
        """
