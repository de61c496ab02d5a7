"""The role of potentials with energies that are no function of neighbors."""

import abc


class LongRange(abc.ABC):
    """Role of a potential of which `call` gives one part, and a sum over the waves of a crystal the other.

    Attributes:
        wave_cutoff: Highest wave number in 1/Å that `long_range` sums over.
    """

    wave_cutoff: float

    @abc.abstractmethod
    def long_range(self, positions, species, cell, waves):
        """Energies that `call` leaves out. Structures without a cell are padding and get 0.

        Args:
            positions: `(structures, atoms, 3)`, in Å.
            species: int `(structures, atoms)`, -1 is padding.
            cell: `(structures, 3, 3)`, rows are lattice vectors, in Å.
            waves: int `(structures, N1, N2, N3)`, how often each wave counts; see `keras_ff.data.waves.lattice_waves`.

        Returns:
            Atomic energies `(structures, atoms)` in eV, 0 for padding.
        """
