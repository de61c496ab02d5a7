"""One structure as a model takes it, outside of data sets."""

import math

import numpy as np

from keras_ff.data.buckets import rounded
from keras_ff.data.neighbors import dense, neighbor_list
from keras_ff.data.waves import check_crystal, lattice_waves, wave_shape

# Columns are added in steps of this many, so that a fluctuating number of neighbors compiles once.
COLUMNS = 4


def batch_of(model, atoms, radius=None, columns=None):
    """A batch of one structure without padding atoms, NumPy.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms`.
        radius: In Å, within which neighbors are listed; the cutoff of the model by default.
        columns: Room for neighbors; by default for as many as there are, rounded. More neighbors than that get room for a few more.

    Raises:
        ValueError: If the atoms have elements that the model does not know.
    """
    dtype = model.compute_dtype
    cell = atoms.cell.array * atoms.pbc[:, None]
    batch = {
        "positions": atoms.positions[None].astype(dtype),
        "species": species_of(model, atoms)[None],
        "cell": cell[None].astype(dtype),
        **neighbors_of(atoms, radius or model.cutoff, dtype, columns),
    }
    if model.wave_cutoff > 0:
        check_crystal(cell, atoms.get_chemical_formula())
        batch["waves"] = lattice_waves(cell, model.wave_cutoff, wave_shape(cell, model.wave_cutoff))[None]
    return batch


def batch_of_frames(model, frames, radius, columns=0):
    """A batch of structures with the same number of atoms, NumPy.

    Args:
        model: `ForceField`.
        frames: List of `ase.Atoms`.
        radius: In Å, within which neighbors are listed.
        columns: Room for neighbors; more than that get room for a few more.
    """
    batches = [batch_of(model, atoms, radius) for atoms in frames]
    most = max(batch["neighbors"].shape[2] for batch in batches)
    columns = max(columns, COLUMNS * math.ceil(most / COLUMNS))
    if model.wave_cutoff > 0:
        shape = tuple(np.max([batch["waves"].shape[1:] for batch in batches], axis=0).tolist())
        for batch in batches:
            batch["waves"] = lattice_waves(batch["cell"][0], model.wave_cutoff, shape)[None]
    for batch in batches:
        batch["neighbors"] = padded(batch["neighbors"], columns, -1)
        batch["shifts"] = padded(batch["shifts"], columns, 0.0)
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def padded(array, columns, fill):
    """An array `(structures, atoms, neighbors, ...)` with empty places up to a number of columns."""
    missing = [(0, 0), (0, 0), (0, columns - array.shape[2]), *[(0, 0)] * (array.ndim - 3)]
    return np.pad(array, missing, constant_values=fill)


def species_of(model, atoms):
    """Places of the elements of atoms among those of a model, int32 `(atoms,)`.

    Raises:
        ValueError: If the atoms have elements that the model does not know.
    """
    known = {symbol: place for place, symbol in enumerate(model.species)}
    unknown = sorted(set(atoms.symbols) - set(known))
    if unknown:
        raise ValueError(
            f"{atoms.get_chemical_formula()} has elements that the model does not know: {unknown} not in {model.species}."
        )
    return np.array([known[symbol] for symbol in atoms.symbols], dtype="int32")


def neighbors_of(atoms, radius, dtype, columns=None):
    """`neighbors` and `shifts` of a batch of one structure; for the arguments see `batch_of`."""
    i, j, S = neighbor_list(atoms, radius)
    most = int(np.bincount(i, minlength=1).max())
    if columns is None:
        # Rounded, as structures that change a little should keep the shapes that functions are compiled for.
        columns = rounded(most)
    elif most > columns:
        columns = COLUMNS * (most // COLUMNS + 1)
    neighbors, shifts = dense(i, j, S.astype(dtype), len(atoms), columns)
    return {"neighbors": neighbors[None], "shifts": shifts[None]}
