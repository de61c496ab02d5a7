"""Padded shapes that grow with the structures that come along, so that few are compiled."""

from keras_ff.data.buckets import rounded

# Neighbors come in steps of this many, so that a fluctuating number of neighbors compiles once.
STEP = 4

# A shape that has been outgrown grows by this factor at least: neighbors fluctuate, atoms may come one by one.
MORE_NEIGHBORS, MORE_ATOMS = 1.25, 2.0

# Fewest atoms of a shape that has grown, and number of atoms from which it grows like the neighbors, as memory counts.
FEWEST, MANY = 32, 2048

# Where all known shapes have this many times the pairs that are needed, a smaller one is worth its compilation.
WASTE = 6.0

# Pairs below which nothing is won, as a call costs more.
SMALL = 512


class Shapes:
    """The padded shapes `(atoms, neighbors)` of structures that are computed one after the other.

    The first structure gets a shape of its own size. Whatever does not fit afterwards gets room for more of its kind, so that a
    simulation compiles anew at most once or twice, and structures of 8, 9, ..., 200 atoms at most six times.

    Example:
        >>> shapes = Shapes()
        >>> [shapes.fit(atoms, 16) for atoms in (8, 9, 20, 33, 60)]
        [(8, 20), (32, 20), (32, 20), (66, 20), (66, 20)]
    """

    def __init__(self):
        self.known = []

    def fit(self, atoms, neighbors, exactly=False):
        """The shape to pad a structure to.

        Args:
            atoms: Number of atoms.
            neighbors: Highest number of neighbors of an atom.
            exactly: No padding atoms, for what has one coordinate for each atom.
        """
        wanted = _stepped(neighbors + 1)
        fits = [shape for shape in self.known if shape[1] >= neighbors and (shape[0] == atoms if exactly else shape[0] >= atoms)]
        if fits:
            best = min(fits, key=lambda shape: shape[0] * shape[1])
            if best[0] * best[1] <= WASTE * max(rounded(atoms) * wanted, SMALL):
                return best
        if self.known and not fits:
            wanted = _stepped(max(MORE_NEIGHBORS * neighbors, neighbors + 6))
        roomy = [shape[1] for shape in self.known if neighbors <= shape[1] <= 2 * wanted]
        columns = min(roomy, default=wanted)
        if self.known and not fits and not exactly and atoms > max(shape[0] for shape in self.known):
            # More atoms than ever before bring more neighbors, too.
            columns = max(wanted, *(shape[1] for shape in self.known))
        if exactly:
            rows = atoms
        else:
            roomy = [shape[0] for shape in self.known if atoms <= shape[0] <= 2 * atoms]
            grown = atoms * (MORE_ATOMS if atoms < MANY else MORE_NEIGHBORS)
            rows = min(roomy, default=rounded(max(FEWEST, grown) if self.known and not fits else atoms))
        self.known.append((rows, columns))
        return rows, columns


def _stepped(count):
    return STEP * -(-int(count) // STEP)
