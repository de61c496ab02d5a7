"""Exported force fields in builds of LAMMPS that contain Python, by its ML-IAP package."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_ff.data.geometry_checks import COINCIDENT
from keras_ff.interfaces.artifact import Artifact, Rows

if TYPE_CHECKING:
    import os


class MLIAP:
    """Exported force field for the pair styles `mliap unified` and `mliap/kk` of LAMMPS.

    It is written to a file once, and read by LAMMPS, which needs the packages ML-IAP and PYTHON, and this library with TensorFlow
    or JAX in its Python. The file contains the path of the artifact, not a copy. Neighbors are copied through the memory of the
    CPU, also from `mliap/kk` on a GPU.

    ML-IAP does not tell which atoms `neigh_modify exclude` takes out: they lose their neighbors and keep the energies of isolated
    atoms, so that `fix gcmc` and `fix widom` are wrong. Use `pair_style keras_ff` there, too.

    Current releases of LAMMPS crash in their `mliap_data.cpp` (segmentation fault) when atoms migrate: use `pair_style keras_ff`
    there.

    Args:
        folder: Folder of the artifact.

    Raises:
        ValueError: If a file of the artifact is missing or was changed, or the artifact has a newer format.

    Example:
        ::

            from keras_ff.interfaces.lammps.mliap import MLIAP

            MLIAP("silicon").pickle("silicon.pkl")

        and in the input of LAMMPS::

            units metal
            newton on
            pair_style mliap unified silicon.pkl 0
            pair_coeff * * Si
    """

    # Attributes of a lammps.mliap.mliap_unified_abc.MLIAPUnified, which can be imported by Pythons with a shared library only.
    interface = None
    ndescriptors = nparams = 1

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder).resolve()
        self.artifact = Artifact(self.folder)
        self.element_types = list(self.artifact.species)
        # LAMMPS treats it as the radius of an atom.
        self.rcutfac = 0.5 * self.artifact.cutoff
        self._rows = Rows()

    def compute_descriptors(self, data: Any) -> None:
        """Do nothing, as there are no descriptors; LAMMPS calls it."""

    def compute_gradients(self, data: Any) -> None:
        """Do nothing, as gradients are computed with the forces; LAMMPS calls it."""

    def compute_forces(self, data: Any) -> None:
        """Compute the energies of atoms, their sum, forces and virial, and store them in the data of LAMMPS, which calls it.

        Args:
            data: `MLIAPDataPy` of LAMMPS. Its pairs are those within the cutoff, in both directions, `rij` points from i to j, and
                `elems` are indices into `element_types`.
        """
        count = data.nlistatoms
        if not count:
            data.energy = 0.0
            return
        atoms, species = host(data.iatoms)[:count], host(data.elems)
        rows_of = np.zeros(data.ntotal, int)
        rows_of[atoms] = np.arange(count)
        if data.npairs:
            i, j, vectors = (host(values) for values in (data.pair_i, data.pair_j, data.rij))
        else:
            i = j = np.zeros(0, int)
            vectors = np.zeros((0, 3))
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if squares.min(initial=np.inf) < COINCIDENT**2:
            raise ValueError(f"Two atoms are {squares.min() ** 0.5:.3g} Å apart: atoms lie on top of each other.")
        i = rows_of[i]
        order = np.argsort(i, kind="stable")
        rows, columns = self._rows(i[order], vectors[order], species[atoms], species[j[order]])
        results = self.artifact(*rows)
        energies, gradient = results["energies"][:count].astype("float64"), results["gradient"]
        data.energy = energies.sum()
        # The attribute is to be set for mliap, and to be filled for mliap/kk.
        if hasattr(data, "eatoms"):
            data.eatoms[:] = like(data.eatoms, energies)
        else:
            data.eatoms = energies
        if data.npairs:
            forces = np.empty((data.npairs, 3))
            forces[order] = gradient[i[order], columns]
            data.update_pair_forces(like(data.rij, forces))

    def pickle(self, path: str | os.PathLike) -> None:
        """Write the file that LAMMPS reads.

        Args:
            path: Path of the file.
        """
        with open(path, "wb") as file:
            pickle.dump(self, file)

    def __reduce__(self):
        return MLIAP, (self.folder,)


def host(values: Any) -> np.ndarray:
    """Array of NumPy, copied from the memory of a GPU if needed.

    Args:
        values: Array of NumPy or CuPy.

    Returns:
        Array of NumPy.
    """
    return values.get() if hasattr(values, "get") else values


def like(known: Any, values: np.ndarray) -> Any:
    """Array in the kind of memory of another array: NumPy on the CPU, or CuPy on a GPU.

    Args:
        known: Array of NumPy or CuPy.
        values: Array of NumPy.

    Returns:
        `values` as an array of the same library as `known`.
    """
    if not hasattr(known, "get"):
        return values
    # Deferred: it is installed with builds of LAMMPS that need it.
    import cupy

    return cupy.asarray(values)
