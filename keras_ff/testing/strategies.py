"""Structures that Hypothesis draws for the laws. Needs `pip install hypothesis`; nothing else of the library imports it."""

import numpy as np
from ase import Atoms
from hypothesis import strategies as st

# Å. Atoms of one structure are no closer; potentials are steep there, but finite.
CLOSEST = 0.8


@st.composite
def structures(draw, species, atoms=(1, 6), lengths=(2.5, 6.0)):
    """Hypothesis strategy of small structures: molecules, wires, slabs and crystals, also skewed, left-handed and thin cells.

    Args:
        draw: Given by Hypothesis: call `structures` without it.
        species: Chemical symbols to choose from.
        atoms: Smallest and largest number of atoms.
        lengths: Shortest and longest lattice vector in Å.

    Returns:
        A strategy of `ase.Atoms`. Atoms lie anywhere, also far outside of the cell, and some as close as 0.8 Å.

    Example:
        >>> from hypothesis import find
        >>> len(find(structures(["Si"]), lambda atoms: atoms.pbc.all()))
        1
    """
    pbc = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    count = draw(st.integers(*atoms))
    symbols = draw(st.lists(st.sampled_from(list(species)), min_size=count, max_size=count))
    sizes = [draw(st.floats(*lengths)) for _ in range(3)]
    skew = draw(st.floats(0.0, 0.9))
    # Random numbers come from a seed: drawn one by one they would make the examples slow, and a smaller number of no use.
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    cell = np.diag(sizes) + skew * np.tril(rng.uniform(-1, 1, size=(3, 3)), -1) * np.array(sizes)[:, None]
    if draw(st.booleans()):
        cell = cell[[1, 0, 2]]
    cell = cell @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    positions = rng.uniform(0, 1, size=(count, 3)) @ cell
    positions = _apart(positions, cell, pbc)
    outside = draw(st.integers(0, 3))
    positions += (rng.integers(-outside, outside + 1, size=(len(positions), 3)) * np.array(pbc)) @ cell
    return Atoms(symbols[: len(positions)], positions, cell=cell, pbc=pbc)


def _apart(positions, cell, pbc):
    """The atoms that keep `CLOSEST` to those before them, images included; the first one always stays."""
    images = np.stack(np.meshgrid(*[[-1, 0, 1] if periodic else [0] for periodic in pbc], indexing="ij"), axis=-1).reshape(-1, 3)
    kept = positions[:1]
    for position in positions[1:]:
        distances = np.linalg.norm((kept[:, None] + images @ cell) - position, axis=-1)
        if distances.min() >= CLOSEST:
            kept = np.concatenate([kept, [position]])
    return kept
