"""A model under test: many small structures through few compiled functions."""

import contextlib

import keras
import numpy as np

from keras_ff import backend
from keras_ff.data import dense, neighbor_list
from keras_ff.data.waves import lattice_waves, wave_shape
from keras_ff.models import ForceField, astype
from keras_ff.potentials.base import Potential
from keras_ff.stateless import with_weights

# Pairs, padding included, in one call: enough to fill the machine, and small in memory.
PAIRS_A_CALL = 200_000


class Probe:
    """Evaluates a potential in float64 on variants of a structure.

    A float32 model is converted. What is computed for one structure is padded to one
    shape, so that the laws together compile few functions.

    Args:
        model: A `Potential` or a `ForceField`.
        structure: `ase.Atoms` of the species of the model. A small one, of 2 to 50 atoms, is fastest.
        rattle: Random displacements in Å and strain in units of 0.1 that take the
            structure away from symmetric positions, where a wrong force can be 0.
        seed: Of everything random.

    Raises:
        TypeError: If the model is neither a `Potential` nor a `ForceField`.
        ValueError: If the structure has species that the model does not know, or no atoms.
    """

    def __init__(self, model, structure, rattle=0.05, seed=0):
        if isinstance(model, Potential):
            model = ForceField(model, dtype=model.dtype_policy)
        if not isinstance(model, ForceField):
            raise TypeError(f"The laws are about a Potential or a ForceField. Received a {type(model).__name__}.")
        unknown = sorted(set(structure.symbols) - set(model.species))
        if unknown or not len(structure):
            raise ValueError(
                f"The structure {structure.get_chemical_formula()!r} must have atoms of the species {model.species}. "
                f"Unknown are {unknown}."
            )
        self.rng = np.random.default_rng(seed)
        self.model = model
        with self.float64():
            if model.potential.compute_dtype != "float64":
                self.model = astype(model, "float64")
        self.cutoff = self.model.cutoff
        self.cutoffs = sorted({term.cutoff for term in self.model.potential.terms()})
        self.species = self.model.species
        self.reach = min(1.0, 0.2 * self.cutoff)
        self._rows = self._columns = 0
        self._wave_shape = (1, 1, 1)
        self._functions = {}
        self.look_at(structure, rattle)

    def look_at(self, structure, rattle=0.0):
        """Take another structure of the same species; compiled functions serve again where the shapes allow."""
        self.structure = self._rattled(structure, rattle)
        # Room for the doubled cell, for the clusters of all pairs of species, for neighbors that the laws
        # bring nearer, and for those that are listed beyond the cutoff.
        n_species = len(self.species)
        self._rows = max(self._rows, 2 * len(structure) + 2, 3 * n_species * (n_species + 1) // 2)
        self._columns = max(self._columns, _most_neighbors(self.structure, self.cutoff + self.reach) + 4)

    @staticmethod
    @contextlib.contextmanager
    def float64():
        """Keras in double precision inside the block; JAX stays able to compute in it."""
        floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
        backend.enable_float64()
        try:
            yield
        finally:
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)

    def _rattled(self, structure, size):
        atoms = structure.copy()
        atoms.calc = None
        atoms.set_constraint()
        if size:
            atoms.positions += self.rng.normal(scale=size, size=(len(atoms), 3))
            strain = self.rng.normal(scale=0.1 * size, size=(3, 3))
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        return atoms

    @property
    def shape(self):
        """The shape (structures, atoms, neighbors) that `evaluate` pads to: at least three structures."""
        return int(np.clip(PAIRS_A_CALL // (self._rows * self._columns), 3, 8)), self._rows, self._columns

    def evaluate(self, structures, model=None):
        """Energies, forces and stress, in float64, of structures of any sizes.

        Args:
            structures: List of `ase.Atoms`.
            model: Another `ForceField` in place of the tested one.

        Returns:
            List of dicts: `energy`, `energies` `(atoms,)`, `forces` `(atoms, 3)`, `stress` `(6,)`.
        """
        most = max(_most_neighbors(atoms, self.cutoff) for atoms in structures)
        self._rows = max(self._rows, max(len(atoms) for atoms in structures))
        if most > self._columns:
            self._columns = int(1.2 * most) + 4
        count, *_ = self.shape
        results = []
        for first in range(0, len(structures), count):
            batch = self.batch(structures[first : first + count], self.shape)
            outputs = self.outputs(batch, model)
            for place, atoms in enumerate(structures[first : first + count]):
                n = len(atoms)
                results.append(
                    {
                        "energy": outputs["energies"][place, :n].sum(),
                        "energies": outputs["energies"][place, :n],
                        "forces": outputs["forces"][place, :n],
                        "stress": outputs["stress"][place],
                    }
                )
        return results

    def batch(self, structures, shape=None, reach=0.0):
        """Structures as the inputs of the model, padded to `shape` (structures, atoms, neighbors).

        Args:
            structures: List of `ase.Atoms`.
            shape: By default the smallest that holds them.
            reach: Length in Å beyond the cutoff up to which atoms are listed as neighbors.

        A structure that is not a crystal has no waves: of a potential of long range the local part remains.
        """
        lists = [neighbor_list(atoms, self.cutoff + reach) for atoms in structures]
        if shape is None:
            most = max(int(np.bincount(i, minlength=1).max()) for i, _, _ in lists)
            shape = (len(structures), max(len(atoms) for atoms in structures), max(most, 1))
        S, A, K = shape
        inputs = {
            "positions": np.zeros((S, A, 3)),
            "species": np.full((S, A), -1, "int32"),
            "cell": np.zeros((S, 3, 3)),
            "neighbors": np.full((S, A, K), -1, "int32"),
            "shifts": np.zeros((S, A, K, 3)),
        }
        for place, (atoms, (i, j, translations)) in enumerate(zip(structures, lists, strict=True)):
            n = len(atoms)
            inputs["positions"][place, :n] = atoms.positions
            inputs["species"][place, :n] = [self.species.index(symbol) for symbol in atoms.symbols]
            inputs["cell"][place] = atoms.cell.array * atoms.pbc[:, None]
            neighbors, shifts = dense(i, j, translations.astype("float64"), n, K)
            inputs["neighbors"][place, :n], inputs["shifts"][place, :n] = neighbors, shifts
        if self.model.wave_cutoff > 0:
            inputs["waves"] = self._waves(structures, S)
        return inputs

    def _waves(self, structures, count):
        cutoff = self.model.wave_cutoff
        cells = {place: atoms.cell.array for place, atoms in enumerate(structures) if atoms.pbc.all()}
        needed = [wave_shape(cell, cutoff) for cell in cells.values()]
        self._wave_shape = tuple(np.max([self._wave_shape, *needed], axis=0).tolist())
        waves = np.zeros((count, *self._wave_shape), "int32")
        for place, cell in cells.items():
            waves[place] = lattice_waves(cell, cutoff, self._wave_shape)
        return waves

    def outputs(self, batch, model=None):
        """What `ForceField.atomic` returns for a batch, as NumPy arrays."""
        model = model or self.model
        if model not in self._functions:
            self._functions[model] = backend.jit(lambda values, batch: with_weights(model, values, model.atomic, batch))
        with self.float64():
            outputs = self._functions[model]([weight.value for weight in model.weights], batch)
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    def place(self, atoms=None):
        """Names the atom of an index of forces or atomic energies."""
        symbols = list((atoms or self.structure).symbols)
        return lambda index: f" of atom {index[0]} ({symbols[index[0]]})"


def _most_neighbors(atoms, cutoff):
    return int(np.bincount(neighbor_list(atoms, cutoff)[0], minlength=1).max())
