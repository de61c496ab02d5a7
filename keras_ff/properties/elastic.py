"""Elastic constants."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from ase.units import GPa
from keras import ops

from keras_ff.compiled import compiled
from keras_ff.data.pymatgen import to_atoms
from keras_ff.geometry import determinant
from keras_ff.properties.base import Property
from keras_ff.properties.structure import derivatives, without_translations

if TYPE_CHECKING:
    import keras
    from ase import Atoms
    from pymatgen.core import Structure

# A structure with a larger force component than this, in eV/Å, is not relaxed.
LARGEST_FORCE = 1e-2


class ElasticConstants(Property):
    """Elastic constants of a crystal in GPa, `(6, 6)`: second derivatives of the energy with respect to strain, per volume.

        C_IJ = [ E_IJ - sum_ab E_Ia (E_uu)^-1_ab E_bJ ] / V,   E_Ia = d²E / d strain_I d u_a

    with u the displacements of the atoms. Rows and columns are in the order xx yy zz yz xz xy of ASE, and a shear strain is the
    sum of both off-diagonal elements (Voigt). The second term lets the atoms within the cell follow the strain. At zero stress
    these are the constants of any definition. The primitive cell gives the same numbers as larger cells, and is fastest.

    Args:
        model: `ForceField`, in float64.
        atoms: Relaxed crystal, periodic in three directions: `ase.Atoms` or a `Structure` of pymatgen.
        relaxed: Whether the atoms within the cell follow the strain; False gives clamped-ion constants.
        free: Which coordinates are relaxed before the crystal is strained: None, "atoms" or "cell". See `Property`.

    Raises:
        ValueError: If the structure is not periodic in three directions, or has constraints that keep atoms from following the
            strain.

    Warns:
        UserWarning: If the forces on the atoms are not zero, so that the crystal has to be relaxed first.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> elastic = kff.properties.ElasticConstants(model, bulk("Si", a=5.430949778405213))
        >>> elastic().round(1)[[0, 0, 3], [0, 1, 3]].tolist()
        [151.4, 76.4, 56.4]

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 11; Lutsko, J. Appl. Phys. 65, 2991 (1989).
    """

    def __init__(self, model: keras.Model, atoms: Atoms | Structure, relaxed: bool = True, free: str | None = None):
        atoms = to_atoms(atoms)
        if not atoms.pbc.all():
            raise ValueError(f"{atoms.get_chemical_formula()} is no crystal: pbc={atoms.pbc.tolist()}. Set atoms.pbc = True.")
        if relaxed and (fixed := sorted({type(one).__name__ for one in atoms.constraints} - {"FixSymmetry"})):
            raise ValueError(
                f"{atoms.get_chemical_formula()} has constraints ({', '.join(fixed)}), and its atoms follow the strain. Remove "
                "them with atoms.set_constraint(), or compute clamped-ion constants with relaxed=False."
            )
        super().__init__(model, atoms, free)
        self.relaxed = bool(relaxed)
        if relaxed and not free:
            warn_of_forces(model, self.batch, atoms)

    def compute(self, batch: dict):
        """Compute the elastic constants of a batch of one structure, `(6, 6)` in GPa."""
        n = 3 * len(self.atoms)
        _, second = derivatives(self.model, batch, cell=True)
        constants = second[n:, n:]
        if self.relaxed:
            mixed = second[:n, n:]
            follow = ops.solve(without_translations(second[:n, :n], len(self.atoms)), mixed)
            constants = constants - ops.matmul(ops.transpose(mixed), follow)
        return constants / (ops.abs(determinant(ops.convert_to_tensor(batch["cell"]))[0]) * GPa)


def bulk_modulus(constants):
    """Bulk modulus as the Voigt average of elastic constants, a scalar tensor in their unit; exact for cubic crystals.

    Args:
        constants: Elastic constants `(6, 6)` in the order of `ElasticConstants`, NumPy or tensor.

    Returns:
        (C11 + C22 + C33 + 2 C12 + 2 C13 + 2 C23) / 9.

    Example:
        >>> import keras_ff as kff
        >>> round(float(kff.properties.bulk_modulus(kff.properties.cubic(151.4, 76.4, 56.4))), 1)
        101.4

    Reference:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), eq. 1.
    """
    return ops.sum(constants[:3, :3]) / 9.0


def cubic(C11: float, C12: float, C44: float) -> np.ndarray:
    """Matrix of the elastic constants of a cubic crystal, NumPy `(6, 6)`, in the order of `ElasticConstants`.

    Args:
        C11: Constant of a uniaxial strain along a cube edge, in GPa.
        C12: Constant that couples two cube edges, in GPa.
        C44: Constant of a shear along a cube face, in GPa.

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
    """Elastic constants in an orthonormal basis of strains (Mandel's notation), `(6, 6)`, in the unit of `constants`.

    Rows and columns of shear are multiplied by the square root of 2. Then the sum of the squares of all entries does not depend on
    the orientation of the crystal, as a measure of errors should not.

    Args:
        constants: Elastic constants `(6, 6)` in Voigt's notation, as from `ElasticConstants`.

    Returns:
        Tensor `(6, 6)`.

    Example:
        >>> import keras_ff as kff
        >>> constants = kff.properties.mandel(kff.properties.cubic(151.4, 76.4, 56.4))
        >>> round(float(constants[3, 3]), 1)
        112.8

    Reference:
        Mehrabadi and Cowin, Q. J. Mech. Appl. Math. 43, 15 (1990).
    """
    factors = np.array(3 * [1.0] + 3 * [2.0**0.5])
    return constants * ops.convert_to_tensor(np.outer(factors, factors), dtype=constants.dtype)


def warn_of_forces(model: keras.Model, batch: dict, atoms: Atoms) -> None:
    """Warn if a structure is not relaxed: if a force component exceeds `LARGEST_FORCE`."""
    largest = float(np.abs(ops.convert_to_numpy(compiled(model, type(model).atomic)(batch)["forces"])).max())
    if largest > LARGEST_FORCE:
        warnings.warn(
            f"{atoms.get_chemical_formula()} is not relaxed: a force component is {largest:.3g} eV/Å. The result is that of a "
            'minimum of the energy: relax the structure with keras_ff.properties.relax, or give free="atoms" or free="cell".',
            stacklevel=3,
        )
