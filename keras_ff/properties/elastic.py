"""Elastic constants."""

import warnings

import numpy as np
from ase.units import GPa
from keras import ops

from keras_ff import backend
from keras_ff.data.pymatgen import to_atoms
from keras_ff.geometry import determinant
from keras_ff.properties.base import Property
from keras_ff.properties.structure import derivatives, without_translations

# A larger force in eV/Å than this is none of a structure at rest.
LARGEST_FORCE = 1e-2


class ElasticConstants(Property):
    """Elastic constants of a crystal, `(6, 6)` in GPa: second derivatives of the energy by strain over the volume.

        C_IJ = [ E_IJ - sum_ab E_Ia (E_uu)^-1_ab E_bJ ] / V,   E_Ia = d²E / d strain_I d u_a

    in the order xx yy zz yz xz xy of ASE, shear strains as the sum of both halves. The second term lets the atoms within the cell
    follow the strain. At a stress of zero these are the constants of any definition. The primitive cell gives the numbers of larger
    cells, and is fastest.

    Args:
        model: `ForceField`.
        atoms: Crystal.
        relaxed: Whether the atoms within the cell follow the strain; False gives clamped-ion constants.
        free: See `Property`.

    Raises:
        ValueError: If the structure does not repeat in three directions.

    Warns:
        If `relaxed` and the atoms are not at rest.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon(dtype="float64"), dtype="float64")
        >>> elastic = kff.properties.ElasticConstants(model, bulk("Si", a=5.430949778405213))
        >>> elastic().round(1)[[0, 0, 3], [0, 1, 3]].tolist()
        [151.4, 76.4, 56.4]

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 11; Lutsko, J. Appl. Phys. 65, 2991 (1989).
    """

    def __init__(self, model, atoms, relaxed=True, free=None):
        atoms = to_atoms(atoms)
        if not atoms.pbc.all():
            raise ValueError(f"{atoms.get_chemical_formula()} is no crystal: pbc={atoms.pbc.tolist()}. Give one with pbc=True.")
        super().__init__(model, atoms, free)
        self.relaxed = bool(relaxed)
        if relaxed and not free:
            warn_of_forces(model, self.batch, atoms)

    def compute(self, batch):
        n = 3 * len(self.atoms)
        _, second = derivatives(self.model, batch, cell=True)
        constants = second[n:, n:]
        if self.relaxed:
            mixed = second[:n, n:]
            follow = ops.solve(without_translations(second[:n, :n], len(self.atoms)), mixed)
            constants = constants - ops.matmul(ops.transpose(mixed), follow)
        return constants / (ops.abs(determinant(ops.convert_to_tensor(batch["cell"]))[0]) * GPa)


def elastic_constants(model, atoms, relaxed=True):
    """`ElasticConstants(model, atoms, relaxed)()`: the constants as they are now, NumPy `(6, 6)` in GPa."""
    return ElasticConstants(model, atoms, relaxed)()


def bulk_modulus(constants):
    """Voigt average, in the units of the elastic constants `(6, 6)`; exact for cubic crystals."""
    return ops.sum(constants[:3, :3]) / 9.0


def cubic(C11, C12, C44):
    """Elastic constants of a cubic crystal written out, NumPy `(6, 6)` in GPa, in the order of `ElasticConstants`.

    Example:
        >>> import keras_ff as kff
        >>> kff.properties.cubic(151.4, 76.4, 56.4)[[0, 0, 3], [0, 1, 3]].tolist()
        [151.4, 76.4, 56.4]
    """
    constants = np.zeros((6, 6))
    constants[:3, :3] = C12
    np.fill_diagonal(constants, 3 * [C11] + 3 * [C44])
    return constants


def mandel(constants):
    """Elastic constants `(6, 6)` in an orthonormal basis: shear rows and columns times the square root of 2."""
    factors = np.array(3 * [1.0] + 3 * [2.0**0.5])
    return constants * ops.convert_to_tensor(np.outer(factors, factors), dtype=constants.dtype)


def warn_of_forces(model, batch, atoms):
    """Warn of a structure that is not at rest."""
    largest = float(np.abs(ops.convert_to_numpy(backend.jit(model.atomic, layer=model)(batch)["forces"])).max())
    if largest > LARGEST_FORCE:
        warnings.warn(
            f"{atoms.get_chemical_formula()} is not at rest: a force component is {largest:.3g} eV/Å. What follows is that of a "
            'minimum: relax it with keras_ff.properties.relax, or give free="atoms" or free="cell".',
            stacklevel=3,
        )
