"""Force constants and phonons of crystals."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from ase.units import _amu, _e
from keras import ops

from keras_ff import backend
from keras_ff.properties.base import Property
from keras_ff.properties.elastic import warn_of_forces
from keras_ff.properties.local_hessians import block_atoms, local_hessians
from keras_ff.properties.structure import derivatives

if TYPE_CHECKING:
    import keras
    from ase import Atoms
    from ase.dft.kpoints import BandPath
    from pymatgen.core import Structure

# Frequency in THz of an eigenvalue of 1 eV/(Å² amu).
THZ = float(np.sqrt(_e / 1e-20 / _amu) / (2.0 * np.pi * 1e12))

# Eigenvalues below this, in eV/(Å² amu), belong to translations: their square roots have no derivatives.
SMALLEST = 1e-9

# Wave vectors are computed in groups whose intermediate arrays have about so many numbers.
GROUP = 4_000_000

# Imaginary frequencies beyond this, in THz, are not rounding errors of those of translations.
UNSTABLE = 0.1


class ForceConstants(Property):
    """Force constants: second derivatives of the energy with respect to the positions in eV/Å², `(3 atoms, 3 atoms)`.

    Rows and columns are x, y, z of the first atom, x, y, z of the second, ... For a supercell these are the full force constants of
    phonopy, `phi[i, j] = constants.reshape(n, 3, n, 3)[i, :, j]`. The time grows linearly with the number of atoms, and with the
    square of it for models with a long-range part. `hessian` computes the same numbers in less memory, without derivatives.

    Args:
        model: `ForceField`, in float64.
        atoms: Structure, with or without periodic directions: `ase.Atoms` or a `Structure` of pymatgen.
        free: Which coordinates are relaxed: None, "atoms" or "cell". See `Property`.

    Example:
        >>> import keras_ff as kff
        >>> from ase import Atoms
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"]))
        >>> dimer = Atoms("Cu2", [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> kff.properties.ForceConstants(model, dimer)()[2, [2, 5]].round(3).tolist()
        [1.056, -1.056]
    """

    def compute(self, batch: dict):
        """Compute the force constants of a batch of one structure, `(3 atoms, 3 atoms)` in eV/Å²."""
        n = len(self.atoms)
        if self.model.wave_cutoff > 0:
            return derivatives(self.model, batch, cell=False)[1]
        indices, _ = block_atoms(batch)
        blocks = ops.transpose(local_hessians(self.model, batch), (0, 1, 3, 2, 4))
        pair_indices = ops.reshape(indices[:, :, None] * n + indices[:, None, :], (-1,))
        pairs = ops.segment_sum(ops.reshape(blocks, (-1, 9)), pair_indices, num_segments=n * n)
        return ops.reshape(ops.transpose(ops.reshape(pairs, (n, n, 3, 3)), (0, 2, 1, 3)), (3 * n, 3 * n))


class Phonons(Property):
    """Phonon frequencies of a crystal in THz, `(wave vectors, 3 atoms)`, ascending; negative numbers stand for imaginary ones.

    The dynamical matrices follow from the neighbors of the atoms of the cell, without a supercell, and are exact for any wave
    vector. Derivatives exist for degenerate frequencies too, provided that the function that is differentiated does not depend on
    the order of equal ones.

    Args:
        model: `ForceField` without a long-range part, in float64.
        atoms: Relaxed crystal: `ase.Atoms` or a `Structure` of pymatgen. The primitive cell gives each frequency once.
        wave_vectors: `(wave vectors, 3)`, as multiples of the reciprocal lattice vectors of the cell; see `band_path` and `mesh`.
        free: Which coordinates are relaxed: None, "atoms" or "cell". See `Property`.

    Raises:
        ValueError: When called, if the model has a long-range part.

    Warns:
        UserWarning: If the crystal is not relaxed or, when called, if frequencies are imaginary, which means that it is unstable.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> phonons = kff.properties.Phonons(model, bulk("Si", a=5.430949778405213), [[0.5, 0, 0.5]])
        >>> phonons().round(1).tolist()
        [[6.7, 6.7, 13.0, 13.0, 15.6, 15.6]]

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 24.
    """

    def __init__(self, model: keras.Model, atoms: Atoms | Structure, wave_vectors, free: str | None = None):
        self.wave_vectors = np.asarray(wave_vectors, dtype="float64").reshape(-1, 3)
        super().__init__(model, atoms, free)
        if not free:
            warn_of_forces(model, self.batch, self.atoms)

    def __call__(self) -> np.ndarray:
        """Return the frequencies with the weights as they are now, NumPy; warn if some are imaginary."""
        self.update()
        values = self._in_groups()
        lowest = values.min(axis=1)
        if lowest.min() < -UNSTABLE:
            where = self.wave_vectors[int(lowest.argmin())].round(4).tolist()
            warnings.warn(
                f"{self.atoms.get_chemical_formula()} is unstable: {int((values < -UNSTABLE).sum())} of {values.size} frequencies "
                f"are imaginary, the lowest {-lowest.min():.3g}i THz at the wave vector {where}. Thermodynamic functions leave "
                "them out. Displace the atoms along that mode and relax again, or check the cell and the potential.",
                stacklevel=2,
            )
        return values

    def _in_groups(self):
        """Frequencies of all wave vectors, some of them at a time; what has been compiled is kept."""
        if self._value is None:
            self._value = (
                backend.jit(lambda batch: local_hessians(self.model, batch), layer=self.model),
                backend.jit(lambda *args: frequencies(eigenvalues(self._matrices(*args))[:, ::2])),
            )
        hessians, of_group = self._value
        blocks, n, count = hessians(self.batch), len(self.atoms), len(self.wave_vectors)
        size = min(count, max(1, GROUP // (9 * n * n * blocks.shape[1])))
        values = np.zeros((count, 3 * n))
        for first in range(0, count, size):
            # The last ones are computed again rather than a smaller number of them, which would be compiled anew.
            first = min(first, count - size)
            group = of_group(self.batch, blocks, self.wave_vectors[first : first + size])
            values[first : first + size] = ops.convert_to_numpy(group)
        return values

    def matrices(self, batch: dict):
        """Compute the dynamical matrices D(q) of a batch of one structure, in eV/(Å² amu).

        Args:
            batch: Dict of arrays, as `self.batch`.

        Returns:
            Tensor `(wave vectors, 6 atoms, 6 atoms)`, real and symmetric: the Hermitian matrix as [[Re, -Im], [Im, Re]].
        """
        return self._matrices(batch, local_hessians(self.model, batch), self.wave_vectors)

    def _matrices(self, batch, blocks, wave_vectors):
        """Dynamical matrices from second derivatives of atomic energies, as `local_hessians` computes them."""
        n, dtype = len(self.atoms), self.model.compute_dtype
        indices, cells = block_atoms(batch)
        angles = ops.einsum("qc,ipc->qip", 2.0 * np.pi * ops.cast(wave_vectors, dtype), cells)
        moved = ops.one_hot(indices, n, dtype=dtype) / ops.convert_to_tensor(np.sqrt(self.atoms.get_masses()), dtype=dtype)
        cosines, sines = (wave(angles)[..., None] * moved for wave in (ops.cos, ops.sin))
        # Both halves of the Hermitian product, exp(-i angle) on the left and exp(i angle) on the right.
        right = [ops.einsum("iparb,qirm->qipamb", blocks, wave) for wave in (cosines, sines)]
        (cc, cs), (sc, ss) = ([ops.einsum("qipk,qipamb->qkamb", left, half) for half in right] for left in (cosines, sines))
        real, imaginary = (ops.reshape(matrix, (-1, 3 * n, 3 * n)) for matrix in (cc + ss, cs - sc))
        rows = [ops.concatenate(row, axis=2) for row in ((real, -imaginary), (imaginary, real))]
        return ops.concatenate(rows, axis=1)

    def compute(self, batch: dict):
        """Compute the frequencies of a batch of one structure, `(wave vectors, 3 atoms)` in THz."""
        # Each eigenvalue of the Hermitian matrix is there twice.
        return frequencies(eigenvalues(self.matrices(batch))[:, ::2])


def band_path(atoms: Atoms, path: str | None = None, points: int = 100) -> BandPath:
    """Path through the Brillouin zone of a crystal, as `BandPath` of ASE; its `kpts` are wave vectors for `Phonons`.

    `keras_ff.plots.bands` draws the frequencies along it.

    Args:
        atoms: Primitive cell of a crystal.
        path: Names of special points such as "GXWKGL"; by default the usual path of the lattice.
        points: Number of wave vectors.

    Returns:
        `ase.dft.kpoints.BandPath`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> path = kff.properties.band_path(bulk("Si"), "GX", points=3)
        >>> path.kpts.tolist()
        [[0.0, 0.0, 0.0], [0.25, 0.0, 0.25], [0.5, 0.0, 0.5]]
    """
    return atoms.cell.bandpath(path, npoints=points, pbc=atoms.pbc)


def frequencies(squared):
    """Convert eigenvalues of dynamical matrices in eV/(Å² amu) to frequencies in THz, negative for negative eigenvalues."""
    size = ops.abs(squared)
    root = ops.sqrt(ops.where(size > SMALLEST, size, 1.0))
    return THZ * ops.sign(squared) * ops.where(size > SMALLEST, root, ops.sqrt(backend.stop_gradient(size)))


@backend.custom_gradient
def eigenvalues(matrices):
    """Eigenvalues of real symmetric matrices, ascending, with first derivatives that exist where eigenvalues are degenerate.

    Args:
        matrices: `(..., n, n)`.

    Returns:
        Tensor `(..., n)`.
    """
    values, vectors = ops.eigh(backend.stop_gradient(matrices))

    def pullback(cotangent):
        return ops.matmul(vectors * cotangent[..., None, :], ops.swapaxes(vectors, -1, -2))

    return values, pullback
