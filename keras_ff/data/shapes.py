"""Padded shapes for structures that are computed one after the other, of which only few are compiled."""

from keras_ff.data.buckets import rounded

# Numbers of neighbors are rounded up to multiples of this, so that a fluctuating number of neighbors compiles once.
STEP = 4

# A shape that has become too small grows at least by this factor: neighbors fluctuate, atoms may be added one by one.
MORE_NEIGHBORS, MORE_ATOMS = 1.25, 2.0

# Fewest atoms of a shape that has grown, and number of atoms above which atoms grow by the smaller factor, to save memory.
FEWEST, MANY = 32, 2048

# If all known shapes have this many times the pairs that are needed, a smaller shape is worth its compilation.
WASTE = 6.0

# Number of pairs below which a smaller shape saves nothing, as the call itself takes longer.
SMALL = 512


class Shapes:
    """Collection of padded shapes `(atoms, neighbors)` for structures that are computed one after the other.

    The first structure gets a shape of its own size. A later structure that fits into no known shape gets one with room for
    growth, so that a simulation compiles anew at most once or twice, and structures of 8, 9, ..., 200 atoms at most six times.

    Attributes:
        known: List of the shapes so far.

    Example:
        >>> shapes = Shapes()
        >>> [shapes.fit(atoms, 16) for atoms in (8, 9, 20, 33, 60)]
        [(8, 20), (32, 24), (32, 24), (66, 24), (66, 24)]
    """

    def __init__(self):
        self.known = []

    def fit(self, atoms: int, neighbors: int, exactly: bool = False) -> tuple[int, int]:
        """Choose the shape that a structure is padded to, a known one or a new one.

        Args:
            atoms: Number of atoms.
            neighbors: Highest number of neighbors of an atom.
            exactly: Whether the shape must have no padding atoms.

        Returns:
            Tuple of the padded numbers of atoms and neighbors.
        """
        needed = _stepped(neighbors + 1)
        fits = [shape for shape in self.known if shape[1] >= neighbors and (shape[0] == atoms if exactly else shape[0] >= atoms)]
        if fits:
            best = min(fits, key=lambda shape: shape[0] * shape[1])
            if best[0] * best[1] <= WASTE * max(rounded(atoms) * needed, SMALL):
                return best
        if self.known and not fits:
            needed = _stepped(max(MORE_NEIGHBORS * neighbors, neighbors + 6))
        roomy = [shape[1] for shape in self.known if neighbors <= shape[1] <= 2 * needed]
        padded = min(roomy, default=needed)
        if self.known and not fits and not exactly and atoms > max(shape[0] for shape in self.known):
            # A structure with more atoms than ever before often has more neighbors, too.
            padded = max(needed, *(shape[1] for shape in self.known))
        if exactly:
            rows = atoms
        else:
            roomy = [shape[0] for shape in self.known if atoms <= shape[0] <= 2 * atoms]
            grown = atoms * (MORE_ATOMS if atoms < MANY else MORE_NEIGHBORS)
            rows = min(roomy, default=rounded(max(FEWEST, grown) if self.known and not fits else atoms))
        self.known.append((rows, padded))
        return rows, padded


def _stepped(count):
    return STEP * -(-int(count) // STEP)
