"""Force constants and phonons of crystals."""

import warnings

import numpy as np
from ase.units import _amu, _e
from keras import ops

from keras_ff import backend
from keras_ff.properties.base import Property
from keras_ff.properties.elastic import warn_of_forces
from keras_ff.properties.local_hessians import local_hessians, members
from keras_ff.properties.structure import derivatives

# Frequency in THz of an eigenvalue of 1 eV/(Å² amu).
THZ = float(np.sqrt(_e / 1e-20 / _amu) / (2.0 * np.pi * 1e12))

# Eigenvalues below this, in eV/(Å² amu), are those of translations: their square roots have no derivatives.
SMALLEST = 1e-9


# Imaginary frequencies beyond this, in THz, are no rounding of those of translations.
UNSTABLE = 0.1


class ForceConstants(Property):
    """Second derivatives of the energy by the positions of the atoms, `(3 atoms, 3 atoms)` in eV/Å².

    For a supercell these are the full force constants of phonopy, `phi[i, j] = constants.reshape(n, 3, n, 3)[i, :, j]`. The time of
    what they are made of grows linearly with the atoms; with a part of long range, as the square.

    Args:
        model: `ForceField`.
        atoms: Structure, with or without periodic directions.
        free: See `Property`.
    """

    def compute(self, batch):
        n = len(self.atoms)
        if self.model.wave_cutoff > 0:
            return derivatives(self.model, batch, cell=False)[1]
        who, _ = members(batch)
        blocks = ops.transpose(local_hessians(self.model, batch), (0, 1, 3, 2, 4))
        places = ops.reshape(who[:, :, None] * n + who[:, None, :], (-1,))
        pairs = ops.segment_sum(ops.reshape(blocks, (-1, 9)), places, num_segments=n * n)
        return ops.reshape(ops.transpose(ops.reshape(pairs, (n, n, 3, 3)), (0, 2, 1, 3)), (3 * n, 3 * n))


class Phonons(Property):
    """Phonon frequencies of a crystal, `(wave vectors, 3 atoms)` in THz, ascending; negative numbers stand for imaginary ones.

    The dynamical matrices come from the neighbors of the atoms of the cell, without a supercell, and are exact for any wave vector.
    Derivatives exist where frequencies are equal too, if what is made of them does not depend on the order of equal ones.

    Args:
        model: `ForceField` without a part of long range.
        atoms: Crystal; the primitive cell gives each frequency once.
        wave_vectors: `(wave vectors, 3)`, in units of the reciprocal lattice vectors of the cell.
        free: See `Property`.

    Warns:
        If the atoms are not at rest, or, when called, if the crystal is unstable: if frequencies are imaginary.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon(dtype="float64"), dtype="float64")
        >>> phonons = kff.properties.Phonons(model, bulk("Si", a=5.430949778405213), [[0.5, 0, 0.5]])
        >>> phonons().round(1).tolist()
        [[6.7, 6.7, 13.0, 13.0, 15.6, 15.6]]

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 24.
    """

    def __init__(self, model, atoms, wave_vectors, free=None):
        self.wave_vectors = np.asarray(wave_vectors, dtype="float64").reshape(-1, 3)
        super().__init__(model, atoms, free)
        if not free:
            warn_of_forces(model, self.batch, self.atoms)

    def __call__(self):
        found = super().__call__()
        lowest = found.min(axis=1)
        if lowest.min() < -UNSTABLE:
            where = self.wave_vectors[int(lowest.argmin())].round(4).tolist()
            warnings.warn(
                f"{self.atoms.get_chemical_formula()} is unstable: {int((found < -UNSTABLE).sum())} of {found.size} frequencies "
                f"are imaginary, the lowest {-lowest.min():.3g}i THz at the wave vector {where}. Thermodynamic functions leave "
                "them out. Displace the atoms along that mode and relax, or look at the cell and the potential.",
                stacklevel=2,
            )
        return found

    def matrices(self, batch):
        """Dynamical matrices in eV/(Å² amu), `(wave vectors, 6 atoms, 6 atoms)`: [[Re, -Im], [Im, Re]], real and symmetric."""
        n, dtype = len(self.atoms), self.model.compute_dtype
        who, cells = members(batch)
        angles = ops.einsum("qc,ipc->qip", ops.convert_to_tensor(2.0 * np.pi * self.wave_vectors, dtype=dtype), cells)
        moved = ops.one_hot(who, n, dtype=dtype) / ops.convert_to_tensor(np.sqrt(self.atoms.get_masses()), dtype=dtype)
        cosines, sines = (wave(angles)[..., None] * moved for wave in (ops.cos, ops.sin))
        blocks = local_hessians(self.model, batch)
        # Both halves of the Hermitian product, exp(-i angle) on the left and exp(i angle) on the right.
        right = [ops.einsum("iparb,qirm->qipamb", blocks, wave) for wave in (cosines, sines)]
        (cc, cs), (sc, ss) = ([ops.einsum("qipk,qipamb->qkamb", left, half) for half in right] for left in (cosines, sines))
        real, imaginary = (ops.reshape(part, (-1, 3 * n, 3 * n)) for part in (cc + ss, cs - sc))
        rows = [ops.concatenate(row, axis=2) for row in ((real, -imaginary), (imaginary, real))]
        return ops.concatenate(rows, axis=1)

    def compute(self, batch):
        # Each eigenvalue of the Hermitian matrix is there twice.
        return frequencies(eigenvalues(self.matrices(batch))[:, ::2])


def band_path(atoms, path=None, points=100):
    """Path through the Brillouin zone of a crystal, ASE's `BandPath`: its `kpts` are wave vectors for `Phonons`.

    Args:
        atoms: Crystal; the primitive cell.
        path: Names of special points such as "GXWKGL"; by default the usual path of the lattice.
        points: Number of wave vectors.
    """
    return atoms.cell.bandpath(path, npoints=points, pbc=atoms.pbc)


def frequencies(squared):
    """From eigenvalues in eV/(Å² amu) to THz, negative for negative ones."""
    size = ops.abs(squared)
    root = ops.sqrt(ops.where(size > SMALLEST, size, 1.0))
    return THZ * ops.sign(squared) * ops.where(size > SMALLEST, root, ops.sqrt(backend.stop_gradient(size)))


@backend.custom_gradient
def eigenvalues(matrices):
    """Of real symmetric matrices `(..., n, n)`, ascending, with first derivatives that exist where some are equal."""
    values, vectors = ops.eigh(backend.stop_gradient(matrices))

    def pullback(cotangent):
        return ops.matmul(vectors * cotangent[..., None, :], ops.swapaxes(vectors, -1, -2))

    return values, pullback
