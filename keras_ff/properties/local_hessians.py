"""Second derivatives of atomic energies: force constants and phonons follow from them, at a cost linear in the number of atoms."""

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood


def local_hessians(model, batch):
    """Second derivatives of each atomic energy with respect to the positions of its neighbors and of the atom itself.

    Args:
        model: `ForceField` without a long-range part.
        batch: Dict of arrays of one structure.

    Returns:
        Tensor `(atoms, neighbors + 1, 3, neighbors + 1, 3)` in eV/Å². The atom itself comes last; padding has zeros.
        `block_atoms` says which atoms the entries belong to.

    Raises:
        ValueError: If the model has a long-range part, whose energy is not a function of neighbors.
    """
    if model.wave_cutoff > 0:
        raise ValueError(
            "The potential has a part of long range (an Ewald sum), whose energy is not a function of neighbors. Use "
            "DampedShiftedForce in its place, or ForceConstants of a supercell."
        )
    vectors, is_neighbor, center, others = model.neighborhood(batch).arrays
    atoms, neighbors = vectors.shape[:2]

    size = 3 * neighbors
    vectors, is_neighbor, center, others = (ops.repeat(row[None], size, axis=0) for row in (vectors, is_neighbor, center, others))

    def flat(rows):
        return ops.reshape(rows, (size * atoms, *rows.shape[2:]))

    def total(vectors):
        neighborhood = Neighborhood(flat(vectors), flat(is_neighbor), flat(center), flat(others), model.cutoff)
        return ops.sum(ops.where(neighborhood.is_atom, model.potential(neighborhood), 0.0))

    # Copies of all atoms for each direction; an atomic energy sees no neighbors but its own.
    _, pullback = backend.vjp(backend.grad(total), vectors)
    directions = np.eye(size, dtype=model.compute_dtype).reshape(size, 1, neighbors, 3)
    rows = pullback(np.broadcast_to(directions, (size, atoms, neighbors, 3)).copy())[0]
    second = ops.reshape(ops.transpose(rows, (1, 0, 2, 3)), (atoms, neighbors, 3, neighbors, 3))
    # A vector shrinks as its atom moves towards the neighbor.
    second = ops.concatenate([second, -ops.sum(second, axis=1, keepdims=True)], axis=1)
    return ops.concatenate([second, -ops.sum(second, axis=3, keepdims=True)], axis=3)


def block_atoms(batch):
    """Indices of the atoms that the entries of `local_hessians` belong to, and the cells that these atoms are in.

    Args:
        batch: Dict of arrays of one structure.

    Returns:
        Tuple of the indices, int `(atoms, neighbors + 1)`, and the cells as whole lattice translations, `(atoms, neighbors + 1,
        3)`. Padding has the index of the atom itself: its zeros add nothing.
    """
    neighbors, shifts = (ops.convert_to_tensor(batch[name])[0] for name in ("neighbors", "shifts"))
    own = ops.arange(neighbors.shape[0], dtype=neighbors.dtype)[:, None]
    atoms = ops.concatenate([ops.where(neighbors >= 0, neighbors, own), own], axis=1)
    return atoms, ops.concatenate([shifts, ops.zeros_like(shifts[:, :1])], axis=1)
