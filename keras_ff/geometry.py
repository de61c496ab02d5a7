"""Vectors from atoms to their neighbors, and products of vectors and 3x3 matrices."""

from __future__ import annotations

from functools import cached_property

from keras import ops


class Neighborhood:
    """Atoms and the vectors to their neighbors: all that a potential may look at.

    Padding and neighbors at or beyond `cutoff` are masked. Their vectors are
    replaced by one of length `cutoff` before anything is computed from them, so
    that no potential can divide by zero, and their derivatives are exactly 0.

    Args:
        vectors: From each atom to its neighbors, `(atoms, neighbors, 3)`, in Å.
        is_neighbor: Boolean `(atoms, neighbors)`; False is padding.
        center_species: int `(atoms,)`, index into the species of the potential.
            Padding atoms have -1.
        neighbor_species: int `(atoms, neighbors)`. Padding may hold any value.
        cutoff: Radius in Å beyond which atoms are not neighbors.

    Attributes:
        arrays: Tuple of the first four arguments as they were given, before anything is masked.
        vectors: `(atoms, neighbors, 3)` in Å, of length `cutoff` where there is no neighbor.
        is_neighbor: Boolean `(atoms, neighbors)`; False is padding, or an atom at or beyond the cutoff.
        neighbor_species: int `(atoms, neighbors)`, 0 where there is no neighbor.
        center_species: int `(atoms,)`, 0 or more.
        is_atom: Boolean `(atoms,)`; False is padding.
        cutoff: Radius in Å.

    Example:
        >>> import keras_ff as kff
        >>> from keras import ops
        >>> vectors, species = ops.array([[[1.0, 0.0, 0.0], [0.0, 5.0, 0.0]]]), ops.array([[0, 0]])
        >>> neighborhood = kff.geometry.Neighborhood(vectors, ops.array([[True, True]]), ops.array([0]), species, cutoff=4.0)
        >>> ops.convert_to_numpy(neighborhood.distances).tolist(), ops.convert_to_numpy(neighborhood.mask).tolist()
        ([[1.0, 4.0]], [[1.0, 0.0]])
    """

    def __init__(self, vectors, is_neighbor, center_species, neighbor_species, cutoff: float):
        self.arrays = (vectors, is_neighbor, center_species, neighbor_species)
        squared = ops.sum(vectors * vectors, axis=-1)
        inside = ops.logical_and(is_neighbor, squared < cutoff**2)
        far = ops.convert_to_tensor([cutoff, 0.0, 0.0], dtype=vectors.dtype)
        self.vectors = ops.where(inside[..., None], vectors, far)
        self.is_neighbor = inside
        self.center_species = ops.maximum(center_species, 0)
        self.is_atom = center_species >= 0
        self.neighbor_species = ops.where(inside, neighbor_species, 0)
        self.cutoff = cutoff

    @property
    def dtype(self):
        """Data type of the vectors."""
        return self.vectors.dtype

    @cached_property
    def mask(self):
        """1 for a neighbor and 0 where there is none, `(atoms, neighbors)` in the dtype of the vectors."""
        return ops.cast(self.is_neighbor, self.dtype)

    @cached_property
    def squared_distances(self):
        """Squared distances of the neighbors in Å², `(atoms, neighbors)`; `cutoff**2` at padding."""
        return ops.sum(self.vectors * self.vectors, axis=-1)

    @cached_property
    def distances(self):
        """Distances of the neighbors in Å, `(atoms, neighbors)`; `cutoff` at padding. The gradient is finite at distance 0."""
        positive = self.squared_distances > 0
        root = ops.sqrt(ops.where(positive, self.squared_distances, 1.0))
        return ops.where(positive, root, 0.0)

    @cached_property
    def directions(self):
        """Unit vectors to the neighbors, `(atoms, neighbors, 3)`; of length 0 at distance 0."""
        return self.vectors / ops.where(self.distances > 0, self.distances, 1.0)[..., None]

    def with_vectors(self, vectors) -> Neighborhood:
        """Return the `Neighborhood` of the same atoms and neighbors with other vectors, which are masked anew.

        It makes an energy a function of the vectors, which can be differentiated. Start from `arrays[0]`: the attribute
        `vectors` is masked already, and would be masked twice.

            def total(vectors):
                return ops.sum(potential(neighborhood.with_vectors(vectors)))

            gradient = backend.grad(total)(neighborhood.arrays[0])

        Args:
            vectors: `(atoms, neighbors, 3)`, in Å. Padding may hold anything finite; derivatives there are exactly 0.

        Returns:
            The new `Neighborhood`.
        """
        return Neighborhood(vectors, *self.arrays[1:], self.cutoff)

    def within(self, cutoff: float) -> Neighborhood:
        """Return the `Neighborhood` of the same atoms with the neighbors closer than another cutoff.

        Args:
            cutoff: Radius in Å, not larger than the present one.
        """
        if cutoff == self.cutoff:
            return self
        return Neighborhood(self.vectors, self.is_neighbor, self.arrays[2], self.neighbor_species, cutoff)


def pair_vectors(positions, cell, neighbors, shifts):
    """Vectors from each atom of a batch to its neighbors, in Å.

    Args:
        positions: `(structures, atoms, 3)`, in Å.
        cell: `(structures, 3, 3)`, rows are lattice vectors, in Å.
        neighbors: int `(structures, atoms, neighbors)`, -1 is padding.
        shifts: `(structures, atoms, neighbors, 3)`, whole lattice translations.

    Returns:
        Tensor `(structures, atoms, neighbors, 3)`, in Å; meaningless at padding.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> chain = np.zeros((1, 1, 3), "float32"), 2.0 * np.eye(3, dtype="float32")[None]  # one atom in a cell of 2 Å
        >>> neighbors, shifts = np.array([[[0, 0]]], "int32"), np.array([[[[1, 0, 0], [-1, 0, 0]]]], "float32")
        >>> np.array(kff.geometry.pair_vectors(*chain, neighbors, shifts))[0, 0].tolist()
        [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]
    """
    rows = flat_indices(neighbors)
    others = ops.take(ops.reshape(positions, (-1, 3)), rows, axis=0)
    # Three products instead of a matrix product: the matrices are too small for one.
    shifts = ops.cast(shifts, cell.dtype)
    translations = sum(shifts[..., axis, None] * cell[:, None, None, axis, :] for axis in range(3))
    return others + translations - positions[:, :, None, :]


def flat_indices(neighbors):
    """Indices of the neighbors in the list of the atoms of all structures; padding points to the first atom of its structure.

    Args:
        neighbors: int `(structures, atoms, neighbors)`, indices within the structure; -1 is padding.

    Returns:
        int tensor of the same shape.
    """
    structures, atoms = ops.shape(neighbors)[0], ops.shape(neighbors)[1]
    # With double precision, `arange` of a known number has int64, and TensorFlow has int32 for a number that it does not know.
    first = ops.cast(ops.arange(structures), neighbors.dtype) * ops.cast(atoms, neighbors.dtype)
    return ops.maximum(neighbors, 0) + first[:, None, None]


def determinant(matrices):
    """Determinants of 3x3 matrices, of which all derivatives exist on every backend.

    Args:
        matrices: `(..., 3, 3)`.

    Returns:
        Tensor `(...)`.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> round(float(kff.geometry.determinant(np.diag([1.0, 2.0, 3.0]))), 6)
        6.0
    """
    a, b, c = (matrices[..., row, :] for row in range(3))
    return ops.sum(a * cross(b, c), axis=-1)


def cross(a, b):
    """Vector products a x b over the last axis.

    Args:
        a: `(..., 3)`.
        b: `(..., 3)`.

    Returns:
        Tensor `(..., 3)`.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> np.array(kff.geometry.cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))).tolist()
        [0.0, 0.0, 1.0]
    """
    return ops.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def inverse(matrices):
    """Inverses of 3x3 matrices by cofactors, of which all derivatives exist on every backend.

    Args:
        matrices: `(..., 3, 3)`. A singular one gives infinities.

    Returns:
        Tensor `(..., 3, 3)`.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> np.array(kff.geometry.inverse(np.diag([1.0, 2.0, 4.0])))[[0, 1, 2], [0, 1, 2]].tolist()
        [1.0, 0.5, 0.25]
    """
    a, b, c = (matrices[..., row, :] for row in range(3))
    columns = ops.stack([cross(b, c), cross(c, a), cross(a, b)], axis=-1)
    return columns / determinant(matrices)[..., None, None]
