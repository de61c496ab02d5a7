"""Neighbor lists made by compiled code, where the positions are: a grid of bins, and every image of every neighbor.

`Grid` is chosen on the host and tells how a structure is divided into bins; `neighbor_rows` is the search, a function of tensors.
It finds the pairs of `keras_ff.data.neighbor_list`, in another order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.data.neighbors import completed
from keras_ff.geometry import inverse
from keras_ff.simulation.bits import ones, place_of_one

# Room that a bin gets beyond its fullest, and a grid of a cell that may shrink.
MORE, SLACK = 1.25, 0.05

# Atoms may lie so many cells away from the first before their translations leave 8 bits, and single precision loses digits.
MOST_TURNS = 8

# Places of a bin that share a word, and the coordinate in Å of a place without an atom; its square is finite in single precision.
WORD, NOWHERE = 32, 1e15

# Atoms whose candidates are looked at together: as many as fill a cache, or an accelerator.
ROWS = {False: 128, True: 32_768}


class Grid(NamedTuple):
    """Division of a structure into bins, arrays that a compiled search takes.

    Attributes:
        counts: Number of bins along each cell vector, int32 (3,).
        offsets: Bins around a bin that may hold neighbors of its atoms, relative to it, int32 (offsets, 3).
        reached: Number of bins on each side that `offsets` go to, int32 (3,).
        frame: Vectors that span the bins, (3, 3) in Å: those of the cell, or of the box around the atoms where it does not repeat.
        start: Corner of the first bin in units of the frame, (3,).
        periodic: Boolean (3,), the directions in which the structure repeats.
    """

    counts: np.ndarray
    offsets: np.ndarray
    reached: np.ndarray
    frame: np.ndarray
    start: np.ndarray
    periodic: np.ndarray

    @classmethod
    def of(cls, positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray, reach: float, moves: bool = False) -> Grid:
        """Choose the grid for a structure.

        Args:
            positions: (atoms, 3), in Å.
            cell: (3, 3), rows are lattice vectors, in Å.
            periodic: Boolean (3,), the directions in which the structure repeats.
            reach: Radius in Å within which neighbors are listed.
            moves: Whether the cell may shrink a little, by a pressure, before another grid is needed.

        Returns:
            `Grid`.

        Example:
            >>> grid = Grid.of(np.zeros((1, 3)), 2.5 * np.eye(3), np.array([True, True, True]), reach=3.0)
            >>> grid.counts.tolist(), len(grid.offsets)  # one bin, and all images of it two cells around
            ([1, 1, 1], 125)
        """
        frame, reach = completed(cell, periodic), reach * (1.0 + (SLACK if moves else 1e-4))
        fractions = positions @ np.linalg.inv(frame)
        low, high = fractions.min(axis=0), fractions.max(axis=0)
        # A little more than the box, so that its last atom is inside.
        frame = frame * np.where(periodic, 1.0, 1.001 * (high - low) + 1e-3)[:, None]
        start = np.where(periodic, 0.0, low / np.where(periodic, 1.0, 1.001 * (high - low) + 1e-3))
        planes = 1.0 / np.linalg.norm(np.linalg.inv(frame), axis=0)
        counts = np.maximum(np.floor(planes / reach), 1.0)
        # Not many more bins than atoms, however empty the cell.
        while counts.prod() > max(64, 2 * len(positions)):
            counts[counts.argmax()] = max(counts.max() // 2, 1.0)
        reached = np.ceil(reach * counts / planes)
        reached = np.where(periodic, reached, np.minimum(reached, counts - 1)).astype(np.int32)
        axes = [np.arange(-most, most + 1, dtype=np.int32) for most in reached]
        offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        return cls(counts.astype(np.int32), offsets, reached, frame, start, np.asarray(periodic, bool))

    def fullest(self, positions: np.ndarray, cell: np.ndarray) -> int:
        """Number of atoms of the fullest bin.

        Args:
            positions: (atoms, 3), in Å.
            cell: The cell, (3, 3), in Å.
        """
        frame = np.where(self.periodic[:, None], cell, self.frame)
        fractions = positions @ np.linalg.inv(frame) - self.start
        fractions -= np.where(self.periodic, np.floor(fractions), 0.0)
        places = np.clip((fractions * self.counts).astype(np.int64), 0, self.counts - 1)
        return int(np.bincount(places @ [self.counts[1] * self.counts[2], self.counts[2], 1]).max())


class Sizes(NamedTuple):
    """Sizes of the arrays of a search, for which it is compiled.

    Attributes:
        bins: Number of bins.
        capacity: Number of atoms that a bin has room for.
        neighbors: Number of neighbors that an atom has room for.
    """

    bins: int
    capacity: int
    neighbors: int

    def around(self, grid: Grid, fullest: int, neighbors: int) -> Sizes:
        """Sizes that have room for a grid, its fullest bin and the most neighbors; the same ones as long as they have.

        Args:
            grid: The grid.
            fullest: Number of atoms of the fullest bin.
            neighbors: Number of neighbors to make room for.
        """
        bins, capacity = int(grid.counts.prod()), self.capacity
        if fullest > capacity:
            # A bin fills some words, or a part of one.
            unit = 4 if MORE * fullest < WORD else WORD
            capacity = unit * math.ceil((MORE * fullest + 1.0) / unit)
        return Sizes(bins if bins > self.bins else self.bins, capacity, max(neighbors, self.neighbors))


def neighbor_rows(positions: Any, cell: Any, grid: Grid, reach: Any, sizes: Sizes) -> tuple[dict, dict]:
    """List the neighbors of each atom, every periodic image within a radius.

    Args:
        positions: Tensor (atoms, 3), in Å.
        cell: Tensor (3, 3), rows are lattice vectors, in Å.
        grid: `Grid` of tensors.
        reach: Radius in Å within which neighbors are listed.
        sizes: Sizes of the arrays.

    Returns:
        Tuple of two dicts of tensors. The first has rows of neighbors: `neighbors` int32 (atoms, K), -1 is padding; `shifts` int8
        (atoms, K, 3), lattice translations of the neighbors; and on an accelerator `reverse`, see `reverse_places`. The second has
        what the rows need: the largest numbers of `neighbors` and of atoms in a bin, `fullest`; `turns`, the most cells that an
        atom is away; `reached`, the smallest distance that the bins reach relative to `reach`; and `closest`, the shortest distance
        in Å, infinity without neighbors. Rows are complete if these fit the sizes, see `fits`.
    """
    counts = ops.cast(grid.counts, positions.dtype)
    frame = ops.where(grid.periodic[:, None], cell, grid.frame)
    across = inverse(frame)
    fractions = sum(positions[:, axis, None] * across[axis] for axis in range(3)) - grid.start
    turns = ops.where(grid.periodic, ops.floor(fractions), 0.0)
    place = ops.cast((fractions - turns) * counts, "int32")
    place = ops.clip(place, 0, grid.counts - 1)
    wrapped = positions - _translations(turns, cell)
    table, seats, fullest = _table(_flat(place, grid.counts), sizes)
    # Coordinates in the order of the bins; places without an atom are beyond all others.
    in_bins = [ops.where(table >= 0, ops.take(wrapped[:, axis], ops.maximum(table, 0)), NOWHERE) for axis in range(3)]
    turns = ops.cast(turns, "int32")

    def of_some(*atoms):
        *own, own_turns = atoms
        bins, images, words, squares = _candidates(*own, in_bins, cell, grid, reach)
        return (*_packed(words, bins, images, table, turns, own_turns, sizes), squares)

    atoms = (ops.ones(positions.shape[:1], "bool"), place, seats, wrapped, turns)
    rows = ROWS[backend.accelerated()]
    neighbors, shifts, numbers, squares = backend.map_rows(of_some, atoms, (False, 0, 0, 0.0, 0), rows)
    needs = {
        "neighbors": ops.max(numbers),
        "fullest": fullest,
        "turns": ops.max(ops.abs(turns)),
        "reached": ops.min(_reached(across, grid)) / reach,
        "closest": ops.sqrt(ops.min(squares)),
    }
    found = {"neighbors": neighbors, "shifts": shifts}
    # The CPU adds forces on neighbors as fast without.
    return ({**found, "reverse": reverse_places(neighbors, shifts)} if backend.accelerated() else found), needs


def fits(needs: dict, sizes: Sizes) -> Any:
    """Whether rows of neighbors are complete, a boolean tensor.

    Args:
        needs: Second result of `neighbor_rows`.
        sizes: Sizes of the arrays.
    """
    small = ops.logical_and(needs["neighbors"] <= sizes.neighbors, needs["fullest"] <= sizes.capacity)
    return ops.logical_and(small, ops.logical_and(needs["turns"] <= MOST_TURNS, needs["reached"] >= 1.0))


def reverse_places(neighbors: Any, shifts: Any) -> Any:
    """Place of each pair in the other direction, so that forces on neighbors are gathered and need no sums in an unknown order.

    Args:
        neighbors: int32 (atoms, K), -1 is padding.
        shifts: Whole numbers (atoms, K, 3) of absolute value below 128.

    Returns:
        int32 tensor (atoms, K): for the neighbor k of atom i, j * K + k', where i is the neighbor k' of j; -1 if i is not in that
        row, as where distances are rounded across the radius of the list.
    """
    count = neighbors.shape[1]
    signed = ops.cast(shifts, "int32")
    images = (signed[..., 0] * 256 + signed[..., 1]) * 256 + signed[..., 2]
    places = ops.arange(count, dtype="int32")

    def of_some(index, row, image):
        others = ops.maximum(row, 0)
        same = ops.logical_and(
            ops.take(neighbors, others, axis=0) == index[:, None, None], ops.take(images, others, axis=0) == -image[:, :, None]
        )
        # At most one is the same.
        place = ops.max(ops.where(same, places, -1), axis=2)
        return ops.where(ops.logical_and(row >= 0, place >= 0), others * count + place, -1)

    index = ops.arange(neighbors.shape[0], dtype="int32")
    return backend.map_rows(of_some, (index, neighbors, images), (0, -1, 0), ROWS[backend.accelerated()])


def _flat(place, counts):
    """Number of a bin."""
    return (place[..., 0] * counts[1] + place[..., 1]) * counts[2] + place[..., 2]


def _translations(turns, cell):
    """Lattice translations in Å; three products, as matrices are too small for a product of matrices."""
    return sum(turns[..., axis, None] * cell[axis] for axis in range(3))


def _reached(across, grid):
    """How far the bins reach along each direction in Å; infinity where they hold all atoms."""
    planes = 1.0 / ops.sqrt(ops.sum(across * across, axis=0))
    far = planes * ops.cast(grid.reached, planes.dtype) / ops.cast(grid.counts, planes.dtype)
    everything = ops.logical_and(ops.logical_not(grid.periodic), grid.reached >= grid.counts - 1)
    return ops.where(everything, np.inf, far)


def _table(bins, sizes):
    """Atoms of each bin, (bins, capacity), -1 is padding; the place of each atom in its bin; and the number of the fullest."""
    order = ops.cast(ops.argsort(bins), "int32")
    bounds = ops.cast(ops.searchsorted(ops.take(bins, order), ops.arange(sizes.bins + 1, dtype="int32")), "int32")
    place = bounds[:-1, None] + ops.arange(sizes.capacity, dtype="int32")
    atoms = ops.take(order, ops.minimum(place, bins.shape[0] - 1))
    seats = ops.cast(ops.argsort(order), "int32") - ops.take(bounds, bins)
    return ops.where(place < bounds[1:, None], atoms, -1), seats, ops.max(bounds[1:] - bounds[:-1])


def _candidates(is_atom, place, seat, positions, in_bins, cell, grid, reach):
    """Bins and images around some atoms; which of their atoms are near, one bit for each; and squares of shortest distances.

    A word has the bits of `WORD` places of a bin, or of all of them.
    """
    at = place[:, None] + grid.offsets
    images = ops.where(grid.periodic, ops.floor_divide(at, grid.counts), 0)
    at = at - images * grid.counts
    exists = ops.logical_and(ops.all(ops.logical_and(at >= 0, at < grid.counts), axis=-1), is_atom[:, None])
    bins = ops.where(exists, _flat(at, grid.counts), 0)
    start = positions[:, None] - _translations(ops.cast(images, cell.dtype), cell)
    squares = sum((ops.take(x, bins, axis=0) - start[..., axis, None]) ** 2 for axis, x in enumerate(in_bins))
    own = ops.all(ops.logical_and(grid.offsets == 0, images == 0), axis=-1)
    seats = ops.arange(in_bins[0].shape[1], dtype="int32")
    itself = ops.logical_and(own[..., None], seats == seat[:, None, None])
    near = ops.logical_and(squares < reach * reach, ops.logical_and(exists[..., None], ops.logical_not(itself)))
    closest = ops.min(ops.where(near, squares, np.inf), axis=(1, 2))
    near = ops.reshape(near, (near.shape[0], -1, min(WORD, near.shape[2])))
    weights = ops.convert_to_tensor(2 ** np.arange(near.shape[2], dtype="uint32"))
    words = ops.sum(ops.where(near, weights, ops.zeros_like(weights)), axis=2)
    # NumPy's rule, which JAX follows in double precision, is to add in 64 bits.
    return bins, images, ops.cast(words, "uint32"), closest


def _packed(words, bins, images, table, turns, own, sizes):
    """Rows of the neighbors among candidates, and how many there are."""
    bits = min(WORD, sizes.capacity)
    each, total = ones(words), words.shape[1]
    so_far = ops.cumsum(each, axis=1)
    place = ops.broadcast_to(ops.arange(sizes.neighbors, dtype="int32")[None], (words.shape[0], sizes.neighbors))
    # The neighbor k is in the first word with which there are more than k so far: a binary search.
    before = ops.full_like(place, -1)
    for step in (1 << power for power in reversed(range(total.bit_length()))):
        further = before + step
        reached = ops.take_along_axis(so_far, ops.minimum(further, total - 1), axis=1) <= place
        before = ops.where(ops.logical_and(further < total, reached), further, before)
    exists = place < so_far[:, -1:]
    word = ops.where(exists, before + 1, 0)
    rest = place - ops.take_along_axis(so_far - each, word, axis=1)
    bit = place_of_one(ops.take_along_axis(words, word, axis=1), rest)
    offset = word // (sizes.capacity // bits)
    found = ops.take_along_axis(bins, offset, axis=1) * sizes.capacity + word % (sizes.capacity // bits) * bits + bit
    neighbors = ops.where(exists, ops.take(ops.reshape(table, (-1,)), ops.where(exists, found, 0)), -1)
    shifts = ops.stack([ops.take_along_axis(images[..., axis], offset, axis=1) for axis in range(3)], axis=-1)
    shifts = shifts + own[:, None] - ops.take(turns, ops.maximum(neighbors, 0), axis=0)
    return neighbors, ops.cast(ops.where(exists[..., None], shifts, 0), "int8"), so_far[:, -1]
