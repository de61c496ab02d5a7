"""Exported force fields in LAMMPS with Python inside, by its ML-IAP package: for builds with KOKKOS on clusters."""

import pickle
from pathlib import Path

import numpy as np

from keras_ff.interfaces.artifact import Artifact, Rows


class MLIAP:
    """An exported force field for `pair_style mliap unified` and its variant `mliap/kk`.

    It is written once, where the artifact is, and read by LAMMPS, which needs the packages ML-IAP and PYTHON, and this library with
    TensorFlow or JAX in its Python:

        MLIAP("silicon").pickle("silicon.pkl")

        pair_style mliap unified silicon.pkl 0      # units metal; newton on
        pair_coeff * * Si

    The file holds the path of the artifact, no copy. Neighbors go through the memory of the CPU, also from `mliap/kk` on a GPU.

    Current releases of LAMMPS crash in their `mliap_data.cpp` (segmentation fault) when atoms migrate: use `pair_style keras_ff`
    there.

    Args:
        folder: Folder of the artifact.

    Raises:
        ValueError: As `Artifact`.
    """

    # What LAMMPS asks of a lammps.mliap.mliap_unified_abc.MLIAPUnified, which is imported by Pythons with a shared library only.
    interface = None
    ndescriptors = nparams = 1

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.artifact = Artifact(self.folder)
        self.element_types = list(self.artifact.species)
        # LAMMPS takes it as the radius of an atom.
        self.rcutfac = 0.5 * self.artifact.cutoff
        self._rows = Rows()

    def compute_descriptors(self, data):
        """There are none."""

    def compute_gradients(self, data):
        """They come with the forces."""

    def compute_forces(self, data):
        """Set energies of atoms, their sum, forces and virial.

        Args:
            data: `MLIAPDataPy` of LAMMPS. Pairs are those within the cutoff, in both directions, `rij` points from i to j, and
                `elems` are places in `element_types`.
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
        i = rows_of[i]
        order = np.argsort(i, kind="stable")
        rows, columns = self._rows(i[order], vectors[order], species[atoms], species[j[order]])
        found = self.artifact(*rows)
        energies, gradient = found["energies"][:count].astype("float64"), found["gradient"]
        data.energy = energies.sum()
        # Of mliap it is to be set, of mliap/kk to be filled.
        if hasattr(data, "eatoms"):
            data.eatoms[:] = like(data.eatoms, energies)
        else:
            data.eatoms = energies
        if data.npairs:
            pulls = np.empty((data.npairs, 3))
            pulls[order] = gradient[i[order], columns]
            data.update_pair_forces(like(data.rij, pulls))

    def pickle(self, path):
        """Write the file that LAMMPS reads."""
        with open(path, "wb") as file:
            pickle.dump(self, file)

    def __reduce__(self):
        return MLIAP, (self.folder,)


def host(values):
    """An array of NumPy, or of CuPy in the memory of a GPU, as one of NumPy."""
    return values.get() if hasattr(values, "get") else values


def like(known, values):
    """An array of NumPy where `known` is."""
    if not hasattr(known, "get"):
        return values
    # Deferred: LAMMPS brings it where it is needed.
    import cupy

    return cupy.asarray(values)
