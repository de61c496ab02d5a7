"""Calculator of ASE for a model in memory, of which it knows what batches it takes and that it computes energies and forces."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from keras import ops

from keras_ff import backend
from keras_ff.compiled import compiled
from keras_ff.data.batches import Batcher, list_holds
from keras_ff.data.geometry_checks import COINCIDENT, check_contact
from keras_ff.data.neighbors import pair_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from ase import Atoms


class ModelCalculator(Calculator):
    """Calculator of ASE for a `ForceField`, with energy, free_energy, energies, forces and stress.

    It is the base of `keras_ff.Calculator`, which reads files and computes the standard deviations of an `Ensemble` too.

    Args:
        force_field: `keras_ff.ForceField`.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed.
        **kwargs: Arguments of `ase.calculators.calculator.Calculator`.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    # Outputs of the model that results are made of.
    outputs = ("energies", "forces", "stress", "virial")

    def __init__(self, force_field: keras.Model, skin: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.force_field = force_field
        self.skin = float(skin)
        self._batcher = Batcher.of(force_field, skin=self.skin)
        self._record, self._rows, self._lock = None, None, RLock()
        self._compile()

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return a property of a structure, one thread after the other; ASE calls it for all of them.

        Args:
            name: Name of the property, such as "energy".
            atoms: The structure; by default that of the last calculation.
            allow_calculation: Whether None is returned if it would have to be computed.
        """
        with self._lock:
            return super().get_property(name, atoms, allow_calculation)

    def _compile(self):
        self._function = compiled(self.force_field, _selected, names=self.outputs)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute energy, forces and stress, and store them in `results`; ASE calls it.

        Args:
            atoms: The structure.
            properties: Names of the properties that ASE needs; all are computed.
            system_changes: Names of what has changed since the last calculation.

        Raises:
            ValueError: If the structure is broken or has elements that the model does not know.
        """
        super().calculate(atoms, properties, system_changes)
        count, outputs = len(self.atoms), self._function(self.batch(self.atoms))
        outputs = {name: np.asarray(value, dtype="float64")[0] for name, value in outputs.items()}
        for name in {"energies", "forces", "forces_std"}.intersection(outputs):
            outputs[name] = outputs[name][:count]
        self.results = self._results(outputs)

    def _results(self, outputs):
        """Results that ASE knows, from the outputs of the model for one structure without padding."""
        # Summed in float64, so that the energy of a large system keeps its digits.
        energy = float(outputs["energies"].sum())
        # A virial of data files has the opposite sign.
        strain = 0.5 * (outputs["virial"] + outputs["virial"].T)
        results = {"energy": energy, "free_energy": energy, "strain_derivatives": strain}
        results |= {name: outputs[name] for name in ("energies", "forces")}
        return results | {"stress": outputs["stress"]} if self.atoms.pbc.all() else results

    def batch(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """Make the batch of a structure that the model takes, with neighbors from the present list or a new one.

        Args:
            atoms: The structure.

        Returns:
            Batch of one structure, a dict of NumPy arrays.

        Raises:
            ValueError: If the structure is broken or has elements that the model does not know.
        """
        with self._lock:
            record, cell = self._listed(atoms), atoms.cell.array
            positions = record["placement"].near(atoms.positions, cell)
            if backend.accelerated():
                return self._with_rows_of_the_list(atoms, record, positions, cell)
        i, j, S = record["i"], record["j"], record["S"]
        vectors = pair_vectors(positions, cell, i, j, S)
        # Atoms may have met since the list was made.
        check_contact(atoms.get_chemical_formula, i, j, vectors)
        near = np.einsum("ij,ij->i", vectors, vectors) < self.force_field.cutoff**2
        now = {**record, "positions": positions, "cell": cell, "i": i[near], "j": j[near], "S": S[near]}
        now["n_neighbors"] = int(np.bincount(now["i"], minlength=1).max())
        return self._batcher.batch([now])

    def _with_rows_of_the_list(self, atoms, record, positions, cell):
        """Batch whose rows stay on the accelerator as long as the list holds: only the positions go there with each call."""
        count = len(positions)
        if self._rows is None:
            batch = self._batcher.batch([record])
            self._rows = {name: ops.convert_to_tensor(batch[name]) for name in ("species", "neighbors", "shifts")}
        batch = {
            **self._rows,
            "positions": np.zeros((1, self._rows["species"].shape[1], 3), self._batcher.dtype),
            "cell": (cell * record["pbc"][:, None])[None].astype(self._batcher.dtype),
        }
        batch["positions"][0, :count] = positions
        if self._batcher.wave_cutoff > 0:
            batch["waves"] = self._batcher.waves([cell])
        # Atoms may have met since the list was made; the host names them.
        if not float(compiled(self.force_field, _closest)(batch)) > COINCIDENT**2:
            i, j, S = record["i"], record["j"], record["S"]
            check_contact(atoms.get_chemical_formula, i, j, pair_vectors(positions, cell, i, j, S))
        return batch

    def _listed(self, atoms):
        """Record of the last search for neighbors, or of a new one if that list may lack a neighbor."""
        if self._record is None or not list_holds(self._record, atoms, self.force_field.cutoff, self.skin):
            record = self._batcher.record(atoms)
            # Every call multiplies them with the cell.
            self._record, self._rows = {**record, "S": record["S"].astype("float64")}, None
        return self._record

    def __getstate__(self):
        # The compiled function and the lock cannot be pickled, and the list is cheap.
        return {**self.__dict__, "_function": None, "_lock": None, "_record": None, "_rows": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._lock = RLock()
        self._compile()


def _closest(model, batch):
    """Square of the shortest distance between listed neighbors in Å²; infinity without neighbors."""
    neighborhood = model.neighborhood(batch)
    squares = ops.sum(neighborhood.arrays[0] ** 2, axis=-1)
    return ops.min(ops.where(neighborhood.arrays[1], squares, np.inf))


def _selected(model, batch, names):
    outputs = model.atomic(batch)
    return {name: outputs[name] for name in names}
