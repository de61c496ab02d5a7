"""Where a simulation gets its neighbors from: the host, or the compiled loop itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.data.geometry_checks import COINCIDENT
from keras_ff.simulation.cell_list import Grid, Sizes, fits, neighbor_rows

if TYPE_CHECKING:
    import keras
    from ase import Atoms

# Number of atoms above which their neighbors are counted by compiled code too: the host would take longer than the compilation.
MANY = 20_000


class HostLists:
    """Lists of neighbors that the host makes, where it is quickest: on a CPU. Each serves steps until atoms have moved too far.

    Args:
        model: `ForceField`.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed.
        moves: Whether the cell may change.

    Attributes:
        record: The structure as it was placed last, see `Batcher.record`.
        arrays: Dict of arrays that a compiled function takes for `search`.
        fresh: Whether `place` was called since the last step.
        search: Function of the state and `arrays`, of tensors, that returns the batch of the structure as it was when neighbors
            were listed, and what these need.
        complete: Function of what they need that tells whether no neighbor is missing.
        key: What `search` is compiled for, besides the shapes of `arrays`.
    """

    # Whether `search` may list neighbors of moved atoms.
    renews = False

    def __init__(self, model: keras.Model, skin: float, moves: bool):
        self.batcher = Batcher.of(model, skin=skin)
        self.record, self.arrays, self.fresh, self.key = None, None, False, None

    def place(self, atoms: Atoms, needs: dict | None = None) -> np.ndarray:
        """Place a structure near the origin, and prepare the search for its neighbors.

        Args:
            atoms: The structure.
            needs: What neighbors need that `complete` has refused.

        Returns:
            Positions near the origin, (atoms, 3) in Å, in the dtype of the model.

        Raises:
            ValueError: If the structure is broken or has elements that the model does not know, see `Batcher.record`.
        """
        self.record, self.fresh = self.batcher.record(atoms), True
        self.arrays = self.batcher.exact([self.record])
        return self.arrays["positions"][0]

    def search(self, state: dict, arrays: dict) -> tuple[dict, dict]:
        """Return the list that the host has made."""
        return {name: ops.convert_to_tensor(x) for name, x in arrays.items()}, {}

    def complete(self, needs: dict) -> Any:
        """Return True: the host leaves out no neighbor."""
        return ops.ones((), "bool")


class DeviceLists(HostLists):
    """Lists of neighbors that the compiled loop makes itself, so that nothing leaves the accelerator; see `cell_list`."""

    renews = True

    def __init__(self, model: keras.Model, skin: float, moves: bool):
        super().__init__(model, skin, moves)
        self.moves, self.key = moves, Sizes(0, 0, 0)

    @property
    def _reach(self):
        return self.batcher.cutoff + self.batcher.skin

    def place(self, atoms: Atoms, needs: dict | None = None) -> np.ndarray:
        """Place a structure near the origin, and choose grid and sizes; see `HostLists.place`."""
        self.record, self.fresh = self.batcher.placed(atoms), True
        positions, cell, periodic = self.record["positions"], self.record["cell"] * self.record["pbc"][:, None], self.record["pbc"]
        grid, dtype = Grid.of(positions, cell, periodic, self._reach, self.moves), self.batcher.dtype
        placed = {"species": self.record["species"][None]}
        if self.batcher.wave_cutoff > 0:
            placed["waves"] = self.batcher.waves([self.record["cell"]])
        fullest = grid.fullest(positions, cell)
        positions, cell = positions.astype(dtype), cell.astype(dtype)
        self.arrays = {
            **{name: ops.convert_to_tensor(x) for name, x in placed.items()},
            "grid": Grid(*(x.astype(dtype) if x.dtype.kind == "f" else x for x in grid)),
        }
        if needs is not None:
            fullest, most = max(fullest, int(needs["fullest"])), int(needs["neighbors"])
        elif self.key.neighbors:
            most = 0
        else:
            most = self._most(atoms, positions, cell, self.key.around(grid, fullest, 1))
        neighbors = self.key.neighbors
        if most > neighbors or not neighbors:
            neighbors = self.batcher.shapes.fit(len(atoms), most, exactly=True)[1]
        self.key = self.key.around(grid, fullest, neighbors)
        return positions

    def _most(self, atoms, positions, cell, sizes):
        """Largest number of neighbors of an atom; an error if the structure makes no sense."""
        if len(atoms) <= MANY:
            return self.batcher.record(atoms)["n_neighbors"]
        count = backend.jit(lambda positions, cell, grid: neighbor_rows(positions, cell, grid, self._reach, sizes)[1])
        needs = count(positions, cell, self.arrays["grid"])
        if not float(needs["closest"]) > COINCIDENT:
            self.batcher.record(atoms)
        return int(needs["neighbors"])

    @property
    def search(self):
        """Function that lists the neighbors of the atoms where they are."""
        return partial(_search, self._reach, self.key)

    @property
    def complete(self):
        """Function that tells whether the sizes had room for all."""
        return partial(fits, sizes=self.key)


def _search(reach, sizes, state, arrays):
    """Batch of the atoms where they are, and what its rows need."""
    arrays = dict(arrays)
    positions, cell, grid = state["positions"], state["cell"], arrays.pop("grid")
    rows, needs = neighbor_rows(positions, cell, grid, reach, sizes)
    return {**arrays, "positions": positions[None], "cell": cell[None], **{name: x[None] for name, x in rows.items()}}, needs
