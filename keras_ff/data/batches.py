"""From structures to the padded arrays that a model takes: the one way, for training, calculators, simulations and properties."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from keras_ff.data.neighbors import check_geometry, checked_cutoff, completed, dense, pairs_within
from keras_ff.data.placement import Placement
from keras_ff.data.shapes import Shapes
from keras_ff.data.waves import check_crystal, lattice_waves, wave_shape

# Atoms closer than this in Å are the same atom twice: no potential has a meaning there.
COINCIDENT = 1e-3


class Batcher:
    """Makes batches of structures for a model.

    A batch is a dict of NumPy arrays for S structures, A atoms and K neighbors:

    | positions | (S, A, 3), Å          | near the origin, see `Placement`                                  |
    | species   | (S, A) int32          | index into `species`; -1 is padding                               |
    | cell      | (S, 3, 3), Å          | rows are lattice vectors; zeros where a structure does not repeat |
    | neighbors | (S, A, K) int32       | index of the neighbor; -1 is padding                              |
    | shifts    | (S, A, K, 3)          | lattice translations of the neighbor, whole numbers               |
    | waves     | (S, N1, N2, N3) int32 | only with a `wave_cutoff`, see `keras_ff.data.waves`              |

    The vector from atom a to its neighbor k is `positions[neighbors[a, k]] + shifts[a, k] @ cell - positions[a]`.

    Args:
        species: Chemical symbols that the model knows, in its order; None to take records of any elements, for a file.
        cutoff: Radius in Å within which the model sees neighbors.
        wave_cutoff: In 1/Å, of a model that sums over the waves of a crystal; 0 for all others.
        dtype: Of the floating-point arrays.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed too.

    Attributes:
        shapes: `Shapes` that batches are padded to.

    Raises:
        ValueError: If the cutoff is not a positive number.

    Example:
        >>> from ase.build import bulk
        >>> batcher = Batcher(["Si"], cutoff=2.5)
        >>> batch = batcher.batch([batcher.record(bulk("Si"))])
        >>> batch["species"].tolist(), batch["neighbors"].shape
        ([[0, 0]], (1, 2, 8))
    """

    def __init__(
        self, species: Sequence[str] | None, cutoff: float, wave_cutoff: float = 0.0, dtype: Any = "float32", skin: float = 0.0
    ):
        self.species = None if species is None else [str(symbol) for symbol in species]
        self.cutoff, self.wave_cutoff, self.skin = checked_cutoff(cutoff), float(wave_cutoff), float(skin)
        self.dtype, self.shapes = np.dtype(dtype), Shapes()
        self._wave_shape = None
        self._index_of = np.full(max(atomic_numbers.values()) + 1, -1, dtype=np.int32)
        if self.species is not None:
            self._index_of[[atomic_numbers[symbol] for symbol in self.species]] = np.arange(len(self.species))

    @classmethod
    def of(cls, model: Any, cutoff: float | None = None, dtype: Any = None, skin: float = 0.0) -> "Batcher":
        """The batcher of a model.

        Args:
            model: Anything with `species` and `cutoff`; `wave_cutoff` and `compute_dtype` count where they are there.
            cutoff: Radius in Å in the place of that of the model.
            dtype: In the place of that of the model, float32 where it has none.
            skin: As in the constructor.
        """
        return cls(
            model.species,
            model.cutoff if cutoff is None else cutoff,
            getattr(model, "wave_cutoff", 0.0),
            dtype or getattr(model, "compute_dtype", "float32"),
            skin,
        )

    def record(self, atoms: Atoms, placement: Placement | None = None) -> dict:
        """One structure as arrays in double precision without padding, with the neighbors of its atoms.

        Args:
            atoms: The structure. Directions with `pbc` False do not repeat, whatever their cell vector.
            placement: That of an earlier record, for a trajectory without jumps; chosen anew by default.

        Returns:
            Dict of `numbers` and `species` (atoms,), `positions` near the origin (atoms, 3), `cell` (3, 3) as it is in `atoms`,
            `pbc` (3,), pairs `i`, `j` (pairs,) and `S` (pairs, 3) as of `neighbor_list`, the most `n_neighbors` of an atom, the
            least `distance` in Å, and the `placement`.

        Raises:
            ValueError: If the structure has no atoms or elements that the model does not know, positions or cell are not finite,
                the cell has no volume in its periodic directions, two atoms are at the same position, or the model needs a
                crystal and this is none.
        """
        if not len(atoms):
            raise ValueError("The structure has no atoms.")
        cell, periodic = np.array(atoms.cell[:], dtype=np.float64), np.array(atoms.pbc, dtype=bool)
        check_geometry(atoms.positions, cell, periodic)
        placement = placement or Placement.of(atoms.positions, cell, periodic)
        positions = placement.near(atoms.positions, cell)
        i, j, S = pairs_within(positions, cell, periodic, self.cutoff + self.skin)
        record = {
            "numbers": atoms.numbers,
            "positions": positions,
            "cell": cell,
            "pbc": periodic,
            "i": i,
            "j": j,
            "S": S,
            "n_neighbors": int(np.bincount(i, minlength=1).max()),
            "placement": placement,
        }
        self.add_species(record)
        if self.wave_cutoff > 0:
            check_crystal(cell * periodic[:, None], atoms.get_chemical_formula())
        pair, record["distance"] = shortest(record)
        if record["distance"] < COINCIDENT:
            raise ValueError(f"{atoms.get_chemical_formula()}: {contact(record, pair)}. Remove one of them.")
        return record

    def add_species(self, record):
        """Add `species` to a record, or raise a ValueError that names the elements that the model does not know."""
        species = self._index_of[record["numbers"]]
        if self.species is not None and species.min() < 0:
            unknown = sorted({chemical_symbols[number] for number in record["numbers"][species < 0]})
            formula = Atoms(numbers=record["numbers"]).get_chemical_formula()
            raise ValueError(
                f"{formula}: elements that the model does not know: {unknown}. Received species={self.species}. Add them to the "
                "species of the model, or leave the structure out."
            )
        record["species"] = species

    def batch(self, records: Sequence[dict | None], shape: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
        """A batch of records.

        Args:
            records: Of `record`; None makes an empty structure.
            shape: Atoms and neighbors to pad to, (A, K); chosen by `shapes` by default.

        Raises:
            ValueError: If a structure does not fit into the shape. No neighbor is ever left out.
        """
        known = [record for record in records if record is not None]
        if shape is None:
            shape = self.shapes.fit(max(len(r["species"]) for r in known), max(r["n_neighbors"] for r in known))
        (A, K), S = shape, len(records)
        batch = {
            "positions": np.zeros((S, A, 3), self.dtype),
            "species": np.full((S, A), -1, np.int32),
            "cell": np.zeros((S, 3, 3), self.dtype),
            "neighbors": np.full((S, A, K), -1, np.int32),
            "shifts": np.zeros((S, A, K, 3), self.dtype),
        }
        for index, record in enumerate(records):
            if record is None:
                continue
            n = len(record["species"])
            if n > A:
                raise ValueError(f"A structure has {n} atoms, and the shape (atoms, neighbors) = {shape} has room for {A}.")
            batch["positions"][index, :n] = record["positions"]
            batch["species"][index, :n] = record["species"]
            batch["cell"][index] = record["cell"] * record["pbc"][:, None]
            rows = record["rows"] if "rows" in record else self.rows(record, K)
            k = rows[0].shape[1]
            batch["neighbors"][index, :n, :k], batch["shifts"][index, :n, :k] = rows
        if self.wave_cutoff > 0:
            batch["waves"] = self.waves([None if record is None else record["cell"] for record in records])
        return batch

    def exact(self, records: Sequence[dict]) -> dict[str, np.ndarray]:
        """A batch without padding atoms, of structures with the same number of atoms, for what has one coordinate for each atom."""
        n_neighbors = max(record["n_neighbors"] for record in records)
        return self.batch(records, self.shapes.fit(len(records[0]["species"]), n_neighbors, exactly=True))

    def rows(self, record: dict, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
        """Neighbors and shifts of a record, padded to a number of neighbors: `(atoms, K)` and `(atoms, K, 3)`."""
        return dense(record["i"], record["j"], record["S"].astype(self.dtype), len(record["species"]), n_neighbors)

    def waves(self, cells: Sequence[np.ndarray | None]) -> np.ndarray:
        """How often each wave of some crystals counts, with room for those of all cells so far.

        Args:
            cells: Lattice vectors `(3, 3)` in Å of each structure; None has no waves.

        Returns:
            int32 array `(structures, N1, N2, N3)`, see `keras_ff.data.waves.lattice_waves`.
        """
        crystals = {index: cell for index, cell in enumerate(cells) if cell is not None}
        needed = np.max([(1, 1, 1), *(wave_shape(cell, self.wave_cutoff) for cell in crystals.values())], axis=0)
        if self._wave_shape is None:
            self._wave_shape = tuple(needed.tolist())
        elif np.any(needed > self._wave_shape):
            # A cell has grown: room for one more in each direction.
            self._wave_shape = tuple(np.maximum(needed + (1, 2, 2), self._wave_shape).tolist())
        waves = np.zeros((len(cells), *self._wave_shape), np.int32)
        for index, cell in crystals.items():
            waves[index] = lattice_waves(cell, self.wave_cutoff, self._wave_shape)
        return waves

    def room_for_waves(self, cells: Sequence[np.ndarray]):
        """Make room for the waves of these cells, `(3, 3)` each in Å, in every batch."""
        self._wave_shape = tuple(np.max([wave_shape(cell, self.wave_cutoff) for cell in cells], axis=0).tolist())


def structure_batch(model: Any, atoms: Atoms, cutoff: float | None = None) -> dict[str, np.ndarray]:
    """The batch of one structure without padding atoms.

    Args:
        model: See `Batcher.of`.
        atoms: The structure.
        cutoff: Radius in Å within which neighbors are listed; that of the model by default.

    Raises:
        ValueError: As `Batcher.record`.
    """
    batcher = Batcher.of(model, cutoff)
    return batcher.exact([batcher.record(atoms)])


def list_holds(record: dict, atoms: Atoms, cutoff: float, skin: float) -> bool:
    """Whether the neighbors listed in a record still hold all within the cutoff, though atoms and cell may have moved since.

    No pair has come closer than the cutoff that was beyond cutoff + skin: lengths shrink by the smallest stretch of the cell at
    most, and by twice the farthest an atom has moved beside the cell.

    Args:
        record: Of `Batcher.record`, of the same atoms.
        atoms: The structure as it is now.
        cutoff: Of the model in Å.
        skin: Of the list in Å.
    """
    if not (np.array_equal(atoms.numbers, record["numbers"]) and np.array_equal(atoms.pbc, record["pbc"])):
        return False
    cell, periodic = atoms.cell.array, record["pbc"]
    moved = record["placement"].near(atoms.positions, cell)
    smallest = 1.0
    if np.array_equal(cell[periodic], record["cell"][periodic]):
        moved = moved - record["positions"]
    else:
        deformation = np.linalg.solve(completed(record["cell"], periodic), completed(cell, periodic))
        smallest = np.linalg.svd(deformation, compute_uv=False)[-1]
        moved = moved - record["positions"] @ deformation
    room = 0.5 * (smallest * (cutoff + skin) - cutoff)
    return bool(room > 0 and np.einsum("ij,ij->i", moved, moved).max(initial=0.0) < room**2)


def shortest(record: dict) -> tuple[int, float]:
    """Index of the pair with the least distance of a record, and that distance in Å; (-1, infinity) without pairs."""
    if not len(record["i"]):
        return -1, np.inf
    vectors = pair_vectors(record["positions"], record["cell"], record["i"], record["j"], record["S"])
    squares = np.einsum("ij,ij->i", vectors, vectors)
    pair = int(squares.argmin())
    return pair, float(np.sqrt(squares[pair]))


def contact(record: dict, pair: int) -> str:
    """Clause about a pair of atoms of a record that are too close to each other."""
    i, j = sorted((int(record["i"][pair]), int(record["j"][pair])))
    where = "a periodic image of itself" if i == j else f"atom {j}"
    return f"Atom {i} and {where} are {record['distance']:.3f} Å apart: atoms lie on top of each other"


def pair_vectors(positions, cell, i, j, S) -> np.ndarray:
    """Vectors of the pairs of `neighbor_list` in Å, `(pairs, 3)`, in double precision."""
    return positions[j] - positions[i] + S @ cell
