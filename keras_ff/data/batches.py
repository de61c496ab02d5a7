"""Padded arrays of structures that a model takes, made in one way for training, calculators, simulations and properties."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from keras_ff.data.geometry_checks import check_resolution, checked_cutoff
from keras_ff.data.neighbors import completed, dense
from keras_ff.data.placement import Placement, placed, placed_pairs
from keras_ff.data.roles import TakesBatches
from keras_ff.data.shapes import Shapes
from keras_ff.data.waves import check_crystal, lattice_waves, wave_shape


class Batcher(TakesBatches):
    """Maker of batches: turns structures into the padded arrays that a model takes.

    A batch is a dict of NumPy arrays for S structures, A atoms and K neighbors:

        positions (S, A, 3), Å           near the origin, see `Placement`
        species   (S, A) int32           index into `species`; -1 is padding
        cell      (S, 3, 3), Å           rows are lattice vectors; zeros where a structure does not repeat
        neighbors (S, A, K) int32        index of the neighbor; -1 is padding
        shifts    (S, A, K, 3)           lattice translations of the neighbor, whole numbers
        waves     (S, N1, N2, N3) int32  only with a `wave_cutoff`, see `keras_ff.data.waves`

    The vector from atom a to its neighbor k is `positions[neighbors[a, k]] + shifts[a, k] @ cell - positions[a]`.

    Args:
        species: Chemical symbols that the model knows, in its order; None to make records of any elements, for a file.
        cutoff: Radius in Å within which the model sees neighbors.
        wave_cutoff: Largest length of a wave vector in 1/Å, of a model that sums over the waves of a crystal; 0 for all others.
        dtype: Dtype of the floating-point arrays.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed too.

    Attributes:
        shapes: `Shapes`, the padded shapes of the batches.

    Raises:
        ValueError: If the cutoff is not a positive number, or the skin a negative one.

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
        if not 0.0 <= self.skin < np.inf:
            raise ValueError(f"A skin is a thickness in Å, 0 or more. Received skin={skin}.")
        self.dtype, self.shapes = np.dtype(dtype), Shapes()
        self._wave_shape = self._last_waves = None
        self._index_of = np.full(max(atomic_numbers.values()) + 1, -1, dtype=np.int32)
        if self.species is not None:
            self._index_of[[atomic_numbers[symbol] for symbol in self.species]] = np.arange(len(self.species))

    @classmethod
    def of(cls, model: TakesBatches, cutoff: float | None = None, dtype: Any = None, skin: float = 0.0) -> "Batcher":
        """Make the batcher of a model.

        Args:
            model: `ForceField` or `Batcher`, or another object with `species` and `cutoff`, such as a potential.
            cutoff: Radius in Å within which neighbors are listed; by default the cutoff of the model.
            dtype: Dtype of the floating-point arrays; by default that of the model.
            skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed too.

        Returns:
            `Batcher`.

        Raises:
            TypeError: If the model is none of these.
            ValueError: If the cutoff is not a positive number.
        """
        model = taking_batches(model)
        cutoff = model.cutoff if cutoff is None else cutoff
        return cls(model.species, cutoff, model.wave_cutoff, dtype or model.compute_dtype, skin)

    @property
    def compute_dtype(self) -> str:
        """Name of the dtype of the floating-point arrays."""
        return self.dtype.name

    def record(self, atoms: Atoms, placement: Placement | None = None) -> dict:
        """Make the record of one structure: arrays in double precision without padding, with the neighbors of its atoms.

        Args:
            atoms: The structure. Directions with `pbc` False do not repeat, whatever their cell vector.
            placement: Placement of an earlier record, for a trajectory without jumps; chosen anew by default.

        Returns:
            Dict of `numbers` and `species` (atoms,), `positions` near the origin (atoms, 3) in Å, `cell` (3, 3) in Å as it is in
            `atoms`, `pbc` (3,), the pairs `i`, `j` (pairs,) and `S` (pairs, 3) of `neighbor_list`, the largest number of
            neighbors of an atom `n_neighbors`, the index of the `closest` pair and its `distance` in Å, and the `placement`.

        Raises:
            ValueError: If the structure has no atoms or elements that the model does not know, positions or cell are not finite or
                absurd, the cell has no volume in its periodic directions, two atoms are at the same position, atoms with
                neighbors are too far away for the precision, or the model needs a crystal and this is none.
        """
        record = {"numbers": atoms.numbers, **placed_pairs(atoms, self.cutoff + self.skin, placement)}
        del record["vectors"]
        check_resolution(record["positions"], record["i"], self.dtype)
        record["n_neighbors"] = int(np.bincount(record["i"], minlength=1).max())
        return self._known(record, atoms)

    def placed(self, atoms: Atoms) -> dict:
        """Make the record of one structure without its neighbors, for code that lists them itself.

        Args:
            atoms: The structure.

        Returns:
            Dict as from `record`, without what concerns neighbors.

        Raises:
            ValueError: As `record`, but for what concerns neighbors.
        """
        record = {"numbers": atoms.numbers, **placed(atoms)}
        try:
            check_resolution(record["positions"], np.arange(len(atoms)), self.dtype)
        except ValueError:
            # Atoms without neighbors may be that far away.
            self.record(atoms)
        return self._known(record, atoms)

    def _known(self, record, atoms):
        """The record with species, after a check that the model can compute the structure."""
        self.add_species(record)
        if self.wave_cutoff > 0:
            check_crystal(record["cell"] * record["pbc"][:, None], atoms.get_chemical_formula())
        return record

    def add_species(self, record: dict) -> None:
        """Add to a record the `species` of its atoms, (atoms,) int32: indices into the species of the model.

        Args:
            record: Dict with atomic `numbers`, (atoms,), which is changed.

        Raises:
            ValueError: If it has elements that do not exist or that the model does not know. The message names them.
        """
        numbers = np.asarray(record["numbers"])
        exist = (numbers >= 0) & (numbers < len(self._index_of))
        if not exist.all():
            raise ValueError(f"There is no element with the atomic number {numbers[~exist][0]}, that of atom {exist.argmin()}.")
        species = self._index_of[numbers]
        if self.species is not None and species.min() < 0:
            unknown = sorted({chemical_symbols[number] for number in numbers[species < 0]})
            formula = Atoms(numbers=numbers).get_chemical_formula()
            raise ValueError(
                f"{formula}: elements that the model does not know: {unknown}. Received species={self.species}. Add them to the "
                "species of the model, or leave the structure out."
            )
        record["species"] = species

    def batch(self, records: Sequence[dict | None], shape: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
        """Put records into one batch of padded arrays.

        Args:
            records: Results of `record`; None makes an empty structure.
            shape: Numbers of atoms and neighbors to pad to, (A, K); chosen by `shapes` by default.

        Returns:
            Batch, a dict of NumPy arrays as in the table of `Batcher`.

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
        """Put records of structures with the same number of atoms into a batch without padding atoms.

        For simulations and properties, whose coordinates are those of real atoms only.

        Args:
            records: Results of `record`.

        Returns:
            Batch, a dict of NumPy arrays as in the table of `Batcher`.
        """
        n_neighbors = max(record["n_neighbors"] for record in records)
        return self.batch(records, self.shapes.fit(len(records[0]["species"]), n_neighbors, exactly=True))

    def rows(self, record: dict, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the neighbors of a record as one padded row for each atom.

        Args:
            record: Result of `record`.
            n_neighbors: Number of neighbors to pad to, K.

        Returns:
            Tuple of `neighbors`, int32 (atoms, K) with -1 for padding, and `shifts`, (atoms, K, 3).

        Raises:
            ValueError: If an atom has more neighbors.
        """
        return dense(record["i"], record["j"], record["S"].astype(self.dtype), len(record["species"]), n_neighbors)

    def waves(self, cells: Sequence[np.ndarray | None]) -> np.ndarray:
        """How often each wave of some crystals counts, with room for those of all cells so far.

        Args:
            cells: Lattice vectors `(3, 3)` in Å of each structure; None has no waves.

        Returns:
            int32 array `(structures, N1, N2, N3)`, see `keras_ff.data.waves.lattice_waves`.
        """
        # Most structures move in a cell that stays.
        if len(cells) == 1 and self._last_waves is not None and np.array_equal(cells[0], self._last_waves[0]):
            return self._last_waves[1]
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
        self._last_waves = (np.array(cells[0]), waves) if len(cells) == 1 and crystals else None
        return waves

    def room_for_waves(self, cells: Sequence[np.ndarray]) -> None:
        """Pad the waves of every later batch to a shape that fits all of some cells.

        Args:
            cells: Cells of crystals, (3, 3) each, in Å.
        """
        self._wave_shape = tuple(np.max([wave_shape(cell, self.wave_cutoff) for cell in cells], axis=0).tolist())
        self._last_waves = None


def taking_batches(model: Any) -> TakesBatches:
    """The model itself, or a batcher for another object with `species` and `cutoff`, such as a potential.

    Args:
        model: Object that batches are made for.

    Raises:
        TypeError: If it has no species and no cutoff.
    """
    if isinstance(model, TakesBatches):
        return model
    if getattr(model, "species", None) is None or getattr(model, "cutoff", None) is None:
        raise TypeError(
            "Batches are made for a ForceField, or for keras_ff.data.Batcher(species, cutoff) where there is none. Received a "
            f"{type(model).__name__}."
        )
    waves, dtype = getattr(model, "wave_cutoff", 0.0), getattr(model, "compute_dtype", "float32")
    return Batcher(model.species, model.cutoff, waves, dtype)


def structure_batch(model: TakesBatches, atoms: Atoms, cutoff: float | None = None) -> dict[str, np.ndarray]:
    """Batch of one structure without padding atoms.

    Args:
        model: `ForceField`, see `Batcher.of`.
        atoms: The structure.
        cutoff: Radius in Å within which neighbors are listed; that of the model by default.

    Returns:
        Dict of NumPy arrays as in the table of `Batcher`, with one structure.

    Raises:
        ValueError: If the structure is broken or has elements that the model does not know, see `Batcher.record`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> structure_batch(model, bulk("Si"))["positions"].shape
        (1, 2, 3)
    """
    batcher = Batcher.of(model, cutoff)
    return batcher.exact([batcher.record(atoms)])


def list_holds(record: dict, atoms: Atoms, cutoff: float, skin: float) -> bool:
    """Whether the neighbor list of a record is still complete, though atoms and cell may have moved since it was made.

    It is as long as no pair that was beyond cutoff + skin can have come closer than the cutoff: distances shrink at most by the
    smallest stretch of the cell, and by twice the largest distance that an atom has moved relative to the cell.

    Args:
        record: Result of `Batcher.record`, of the same atoms.
        atoms: The structure as it is now.
        cutoff: Cutoff of the model in Å.
        skin: Thickness in Å of the shell beyond the cutoff for which the list was made.

    Returns:
        Boolean; False if elements or periodicity differ.

    Example:
        >>> from ase.build import bulk
        >>> atoms = bulk("Si")
        >>> record = Batcher(["Si"], cutoff=2.5, skin=0.5).record(atoms)
        >>> atoms.positions[0, 0] += 0.2
        >>> list_holds(record, atoms, cutoff=2.5, skin=0.5)
        True
        >>> atoms.positions[0, 0] += 0.2
        >>> list_holds(record, atoms, cutoff=2.5, skin=0.5)
        False
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
