"""Buckets: groups of structures that share a padded shape, and the order of their batches in an epoch."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# The dynamic program looks at this many sizes at most; more structures share a size.
MOST_LEVELS = 256

# All ways to promote remainders are tried for this many shapes; beyond it, none is promoted.
MOST_PROMOTED = 10

# A further shape costs a compilation, so it has to save this fraction of the padded pairs.
WORTH_A_SHAPE = 0.05


def rounded(size: int) -> int:
    """Size of a padded axis: a number rounded up to a multiple of 1/32 of its power of two, so that similar data sets share shapes.

    Args:
        size: Number of atoms or neighbors.

    Returns:
        The rounded number, at least 1.

    Example:
        >>> [rounded(size) for size in (0, 7, 28, 63, 225, 1000)]
        [1, 7, 28, 63, 228, 1008]
    """
    size = max(int(size), 1)
    step = max(1, 2 ** (size.bit_length() - 1) // 32)
    return -(-size // step) * step


@dataclasses.dataclass
class Buckets:
    """Groups of structures, each of which is padded to one shape.

    Attributes:
        shapes: List of `(atoms, neighbors)`, A and K, from small to large.
        indices: List with the indices of the structures of each shape.
        promote: List that tells for each shape whether the structures that do not fill a batch move on to the next shape.
        batch_size: Number of structures in a batch.

    Example:
        >>> buckets = choose_buckets(atoms=[2, 2, 64], neighbors=[16, 16, 16], batch_size=2)
        >>> buckets.shapes, buckets.counts
        ([(2, 16), (64, 16)], [1, 1])
    """

    shapes: list
    indices: list
    promote: list
    batch_size: int

    @property
    def counts(self) -> list[int]:
        """Number of batches of each shape, the same in every epoch."""
        return batch_counts([len(indices) for indices in self.indices], self.promote, self.batch_size)

    def __len__(self):
        return sum(self.counts)

    def epoch(self, seed: int, epoch: int, shuffle: bool = True) -> list[tuple[int, np.ndarray]]:
        """Return the batches of an epoch in their order, a function of these arguments only.

        If the shapes of the data set differ in the number of atoms, so do the first two batches; the same holds for the number of
        neighbors. Keras on TensorFlow infers from these two which axes may change, and hangs if another axis changes later.

        Args:
            seed: Seed of the shuffling, a non-negative integer.
            epoch: Number of the epoch, a non-negative integer.
            shuffle: Whether structures and batches are shuffled. False keeps the structures of each shape in their order.

        Returns:
            List of tuples: index of the shape, and indices of structures, (batch_size,), with -1 where the batch is padded.
        """
        generator = np.random.default_rng([seed, epoch]) if shuffle else None
        batches, carried = [], np.zeros(0, dtype=np.int64)
        for bucket, (indices, promote) in enumerate(zip(self.indices, self.promote, strict=True)):
            indices = generator.permutation(indices) if shuffle else indices
            indices = np.concatenate([carried, indices])
            whole = len(indices) // self.batch_size * self.batch_size
            carried = indices[whole:] if promote else indices[:0]
            indices = indices[:whole] if promote else indices
            for start in range(0, len(indices), self.batch_size):
                batch = np.full(self.batch_size, -1, dtype=np.int64)
                chosen = indices[start : start + self.batch_size]
                batch[: len(chosen)] = chosen
                batches.append((bucket, batch))
        if shuffle:
            batches = [batches[index] for index in generator.permutation(len(batches))]
        return self._first_two_differ(batches)

    def _first_two_differ(self, batches):
        shapes = [self.shapes[bucket] for bucket, _ in batches]
        varies = [len({shape[axis] for shape in shapes}) > 1 for axis in range(2)]
        if not any(varies):
            return batches
        first = {}
        for index, shape in enumerate(shapes):
            first.setdefault(shape, index)
        pairs = [
            sorted((first[a], first[b]))
            for a, b in itertools.combinations(first, 2)
            if all(a[axis] != b[axis] for axis in range(2) if varies[axis])
        ]
        front = min(pairs)
        return [batches[index] for index in front] + [batch for index, batch in enumerate(batches) if index not in front]


def batch_counts(sizes: Sequence[int], promote: Sequence[bool], batch_size: int) -> list[int]:
    """Number of batches of each shape.

    Args:
        sizes: Number of structures of each shape.
        promote: For each shape, whether the structures that do not fill a batch move on to the next shape.
        batch_size: Number of structures in a batch.

    Returns:
        List with the number of batches of each shape.

    Example:
        >>> batch_counts([5, 3], promote=[True, False], batch_size=4)
        [1, 1]
    """
    counts, carried = [], 0
    for size, passes_on in zip(sizes, promote, strict=True):
        size += carried
        carried = size % batch_size if passes_on else 0
        counts.append((size - carried + batch_size - 1) // batch_size)
    return counts


def choose_buckets(atoms: Sequence[int], neighbors: Sequence[int], batch_size: int, max_shapes: int = 4) -> Buckets:
    """Buckets whose shapes have the fewest padded pairs: batches x atoms x neighbors, with unfilled batches counted whole.

    The structures are sorted by size and cut into at most `max_shapes` pieces by dynamic programming. Another shape is
    taken only if it saves a twentieth of the pairs, as it costs a compilation.

    Args:
        atoms: Number of atoms of each structure.
        neighbors: Highest number of neighbors of an atom of each structure.
        batch_size: Number of structures in a batch.
        max_shapes: Highest number of shapes.

    Returns:
        `Buckets`.

    Example:
        >>> choose_buckets(atoms=[2, 2, 64, 64], neighbors=[16, 16, 16, 16], batch_size=2).shapes
        [(2, 16), (64, 16)]
    """
    sizes = np.array([[rounded(a), rounded(k)] for a, k in zip(atoms, neighbors, strict=True)], dtype=np.int64)
    best = None
    for n_shapes in range(1, max_shapes + 1):
        cuts = [_cut(sizes, by, batch_size, n_shapes) for by in ("atoms", "neighbors", "pairs")]
        cost, buckets = min((cut for cut in cuts if cut), key=lambda cut: cut[0], default=(np.inf, None))
        if best is None or cost < best[0] * (1.0 - WORTH_A_SHAPE) ** (n_shapes - best[2]):
            best = cost, buckets, n_shapes
    return best[1]


def given_buckets(atoms: Sequence[int], neighbors: Sequence[int], batch_size: int, shapes: Sequence[Sequence[int]]) -> Buckets:
    """Buckets of given shapes, such as those of the training set.

    Args:
        atoms: Number of atoms of each structure.
        neighbors: Highest number of neighbors of an atom of each structure.
        batch_size: Number of structures in a batch.
        shapes: Shapes whose last two numbers are those of atoms and neighbors.

    Returns:
        `Buckets` with the shapes that some structure uses.

    Raises:
        ValueError: If a structure fits in none of the shapes.

    Example:
        >>> given_buckets(atoms=[2, 8], neighbors=[16, 16], batch_size=1, shapes=[(1, 10, 20)]).shapes
        [(10, 20)]
    """
    shapes = sorted({(int(shape[-2]), int(shape[-1])) for shape in shapes}, key=lambda shape: (shape[0] * shape[1], shape))
    indices = [[] for _ in shapes]
    for index, (a, k) in enumerate(zip(atoms, neighbors, strict=True)):
        fits = [number for number, shape in enumerate(shapes) if a <= shape[0] and k <= shape[1]]
        if not fits:
            raise ValueError(
                f"Structure {index} has {a} atoms with up to {k} neighbors and fits in none of shapes={shapes} (atoms, neighbors). "
                f"Raise one of them to at least ({a}, {k}), or leave shapes out."
            )
        indices[fits[0]].append(index)
    used = [number for number, part in enumerate(indices) if part]
    shapes, indices = [shapes[number] for number in used], [np.array(indices[number]) for number in used]
    return Buckets(shapes, indices, _promotion(shapes, indices, batch_size)[1], batch_size)


def _cut(sizes, by, batch_size, n_shapes):
    """Best cut of the line of structures into exactly `n_shapes` pieces as `(padded pairs, Buckets)`, or None."""
    a, k = sizes.T
    line = np.lexsort({"atoms": (k, a), "neighbors": (a, k), "pairs": (a, a * k)}[by])
    key = {"atoms": a, "neighbors": k, "pairs": a * k}[by][line]
    ends = np.append(np.flatnonzero(np.diff(key)) + 1, len(key))  # where a cut may stand
    if len(ends) > MOST_LEVELS:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, MOST_LEVELS).round().astype(int))]
    if len(ends) < n_shapes:
        return None
    starts = np.append(0, ends[:-1])
    # Largest size of each level, then of each run of levels: A and K of the segment [s, e].
    level_a, level_k = np.maximum.reduceat(a[line], starts), np.maximum.reduceat(k[line], starts)
    levels = len(ends)
    cost = np.full((levels, levels), np.inf)
    for start in range(levels):
        batches = -(-(ends[start:] - starts[start]) // batch_size)
        pairs = np.maximum.accumulate(level_a[start:]) * np.maximum.accumulate(level_k[start:])
        cost[start, start:] = batches * batch_size * pairs
    total, back = cost[0].copy(), []
    for _ in range(n_shapes - 1):
        # total[e] = min over s of total[s - 1] + cost[s, e]
        options = np.full((levels, levels), np.inf)
        options[1:] = total[:-1, None] + cost[1:]
        back.append(options.argmin(axis=0))
        total = options.min(axis=0)
    cuts, end = [], levels - 1
    for choice in reversed(back):
        start = int(choice[end])
        cuts.append(start)
        end = start - 1
    if not np.isfinite(total[-1]):
        return None
    edges = [0, *[int(starts[cut]) for cut in reversed(cuts)], len(line)]
    parts = [np.sort(line[low:high]) for low, high in itertools.pairwise(edges)]
    shapes = [(int(a[part].max()), int(k[part].max())) for part in parts]
    merged = {}
    for shape, part in sorted(zip(shapes, parts, strict=True), key=lambda pair: (pair[0][0] * pair[0][1], pair[0])):
        merged[shape] = np.sort(np.concatenate([merged[shape], part])) if shape in merged else part
    shapes, indices = list(merged), list(merged.values())
    pairs, promote = _promotion(shapes, indices, batch_size)
    return pairs, Buckets(shapes, indices, promote, batch_size)


def _promotion(shapes, indices, batch_size):
    """Which remainders of a bucket move on to the next shape, for the fewest padded pairs and then the fewest unfilled batches."""
    possible = [
        (False, True) if large[0] >= small[0] and large[1] >= small[1] else (False,) for small, large in itertools.pairwise(shapes)
    ]
    sizes = [len(part) for part in indices]
    if len(shapes) > MOST_PROMOTED:
        possible = [(False,)] * len(possible)
    best = None
    for choice in itertools.product(*possible, (False,)):
        counts = batch_counts(sizes, choice, batch_size)
        pairs = sum(count * batch_size * a * k for count, (a, k) in zip(counts, shapes, strict=True))
        if best is None or (pairs, sum(counts)) < best[:2]:
            best = pairs, sum(counts), list(choice)
    return best[0], best[2]
