"""A model under test: many small structures through few compiled functions."""

import contextlib
import functools

import keras
import numpy as np
from ase import Atoms
from keras import ops

from keras_ff import backend
from keras_ff.data import neighbor_list
from keras_ff.data.batches import Batcher
from keras_ff.models import ForceField, astype
from keras_ff.potentials.base import Potential
from keras_ff.stateless import with_weights

# Pairs, padding included, in one call: enough to fill the machine, and small in memory.
PAIRS_A_CALL = 200_000


class Probe:
    """A model and structures that the laws are tested on, in float64.

    The model is tested as it is, without a detour through its configuration. Beside a float32 model stands its float64 copy, as
    derivatives can be checked in float64 alone; that the two agree is a law of its own. What is computed for one structure is
    padded to one shape, so that the laws together compile few functions.

    Attributes:
        given: The `ForceField` under test, in its own dtype.
        model: The `ForceField` in float64: `given` itself, or its copy.
        structures: All structures, rattled.
        structure: The one that a law looks at; the first to begin with.

    Args:
        model: A `Potential` or a `ForceField`.
        structure: `ase.Atoms` of the species of the model, or a list of them. Small ones, of 2 to 50 atoms, are fastest.
        rattle: Random displacements in Å and strain in units of 0.1 that take the
            structure away from symmetric positions, where a wrong force can be 0.
        seed: Seed of everything random.

    Raises:
        TypeError: If the model is neither a `Potential` nor a `ForceField`.
        ValueError: If a structure has species that the model does not know, or no atoms.

    Example:
        >>> from ase.build import bulk
        >>> from keras_ff.potentials import RepulsiveMorse
        >>> probe = Probe(RepulsiveMorse(["Si"]), bulk("Si"))
        >>> [result] = probe.evaluate([probe.structure])
        >>> result["forces"].shape
        (2, 3)
    """

    def __init__(self, model, structure, rattle=0.05, seed=0):
        if isinstance(model, Potential):
            model = ForceField(model, dtype=model.dtype_policy)
        if not isinstance(model, ForceField):
            raise TypeError(f"The laws are about a Potential or a ForceField. Received a {type(model).__name__}.")
        structures = [structure] if isinstance(structure, Atoms) else list(structure)
        for atoms in structures:
            unknown = sorted(set(atoms.symbols) - set(model.species))
            if unknown or not len(atoms):
                raise ValueError(
                    f"The structure {atoms.get_chemical_formula()!r} must have atoms of the species {model.species}. "
                    f"Unknown are {unknown}."
                )
        self.rng = np.random.default_rng(seed)
        self.given = self.model = model
        self.dtype = model.potential.compute_dtype
        if self.dtype != "float64":
            with self.precision("float64"):
                self.model = astype(model, "float64")
        self.cutoff = self.model.cutoff
        self.cutoffs = sorted({term.cutoff for term in self.model.potential.terms()})
        self.species = self.model.species
        self.reach = min(1.0, 0.2 * self.cutoff)
        self._rows = self._neighbors = 0
        self._waves = Batcher.of(self.model)
        self._functions = {}
        self.structures = [self._rattled(atoms, rattle) for atoms in structures]
        self.structure = self.structures[0]

    @functools.cached_property
    def single(self):
        """The `ForceField` in float32, `given` itself or its copy."""
        if self.dtype == "float32":
            return self.given
        with self.precision("float32"):
            return astype(self.given, "float32")

    @property
    def structure(self):
        """The structure that a law looks at. With another one, compiled functions serve again where the shapes allow."""
        return self._structure

    @structure.setter
    def structure(self, atoms):
        self._structure = atoms
        # Room for the doubled cell, for the clusters of all pairs of species, for neighbors that the laws
        # bring nearer, and for those that are listed beyond the cutoff.
        n_species = len(self.species)
        self._rows = max(self._rows, 2 * len(atoms) + 2, 3 * n_species * (n_species + 1) // 2)
        self._neighbors = max(self._neighbors, _most_neighbors(atoms, self.cutoff + self.reach) + 4)

    @staticmethod
    @contextlib.contextmanager
    def precision(dtype):
        """The default precision of Keras inside the block, "float32" or "float64"; JAX stays able to compute in float64."""
        floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
        if dtype == "float64":
            backend.enable_float64()
        else:
            keras.config.set_floatx(dtype)
            keras.config.set_dtype_policy(dtype)
        try:
            yield
        finally:
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)

    @classmethod
    def float64(cls):
        """`precision("float64")`."""
        return cls.precision("float64")

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
        """The shape (structures, atoms, neighbors) that `evaluate` pads to, of at least three structures."""
        return int(np.clip(PAIRS_A_CALL // (self._rows * self._neighbors), 3, 8)), self._rows, self._neighbors

    def evaluate(self, structures, model=None):
        """Energies, forces and stress, in float64, of structures of any sizes.

        Args:
            structures: List of `ase.Atoms`.
            model: Another `ForceField` in place of the tested one.

        Returns:
            List of dicts: `energy` in eV, `energies` `(atoms,)` in eV, `forces` `(atoms, 3)` in eV/Å, `stress` `(6,)` in eV/Å³.
        """
        batcher, records = self._records(structures)
        most = max(record["n_neighbors"] for record in records)
        self._rows = max(self._rows, max(len(atoms) for atoms in structures))
        if most > self._neighbors:
            self._neighbors = int(1.2 * most) + 4
        count, *_ = self.shape
        results = []
        for first in range(0, len(structures), count):
            batch = self._batch(batcher, records[first : first + count], self.shape)
            outputs = self.outputs(batch, model)
            for index, atoms in enumerate(structures[first : first + count]):
                n = len(atoms)
                results.append(
                    {
                        "energy": outputs["energies"][index, :n].sum(),
                        "energies": outputs["energies"][index, :n],
                        "forces": outputs["forces"][index, :n],
                        "stress": outputs["stress"][index],
                    }
                )
        return results

    def batch(self, structures, shape=None, reach=0.0):
        """Structures as the inputs of the model, padded to `shape` (structures, atoms, neighbors).

        A structure that is not a crystal has no waves: of a potential of long range the local term remains.

        Args:
            structures: List of `ase.Atoms`.
            shape: By default the smallest that holds them.
            reach: Length in Å beyond the cutoff up to which atoms are listed as neighbors.

        Returns:
            Dict of float64 and int32 NumPy arrays.
        """
        batcher, records = self._records(structures, reach)
        if shape is None:
            most = max(record["n_neighbors"] for record in records)
            shape = (len(structures), max(len(atoms) for atoms in structures), max(most, 1))
        return self._batch(batcher, records, shape)

    def _records(self, structures, reach=0.0):
        batcher = Batcher(self.species, self.cutoff, dtype="float64", skin=reach)
        return batcher, [batcher.record(atoms) for atoms in structures]

    def _batch(self, batcher, records, shape):
        """Batch of records, filled up with empty structures; crystals among them have their waves."""
        records = [*records, *[None] * (shape[0] - len(records))]
        inputs = batcher.batch(records, shape[1:])
        if self.model.wave_cutoff > 0:
            crystals = [record["cell"] if record and record["pbc"].all() else None for record in records]
            inputs["waves"] = self._waves.waves(crystals)
        return inputs

    def hard_batch(self, coincident=False):
        """The structure, one of edge cases, padding of all kinds, and last coincident atoms if asked for, otherwise padding.

        The edge cases are an isolated atom, and two atoms exactly at the cutoff which are listed as neighbors.
        """
        first, last, cutoff = self.species[0], self.species[-1], self.cutoff
        edges = Atoms([first, last, first], [[0, 0, 0], [cutoff, 0, 0], [0, 0, 5 * cutoff]])
        together = Atoms([first, last, first], [[0, 0, 0], [0.2 * cutoff, 0, 0], [0.5 * cutoff, 0, 0]])
        _, atoms, neighbors = self.batch([self.structure])["neighbors"].shape
        # Multiples, so that what is computed operation by operation is compiled for few shapes; another one than `shape`.
        atoms, neighbors = 4 * (max(atoms, 3) // 4 + 1), 8 * (neighbors // 8 + 1)
        shape = (4, atoms, neighbors + 8 * (neighbors == self.shape[2]))
        batch = self.batch([self.structure, edges], shape)
        batch["neighbors"][1, 0, 0], batch["neighbors"][1, 1, 0] = 1, 0
        if coincident:
            # Structures like this are refused before they become a batch.
            extra = self.batch([together], (1, *shape[1:]))
            extra["positions"][0, 1] = extra["positions"][0, 0]
            for name, value in batch.items():
                value[3] = extra[name][0]
        return batch

    def outputs(self, batch, model=None, values=None):
        """What `ForceField.atomic` returns for a batch, compiled, in float64.

        Args:
            batch: Dict as `batch` makes it.
            model: Another `ForceField` in place of the tested one. It computes in its own dtype.
            values: Arrays in place of the weights of the model.

        Returns:
            Dict of NumPy arrays; of an `Ensemble`, `members` is a dict again.
        """
        model = model or self.model
        if model not in self._functions:
            self._functions[model] = backend.jit(lambda values, batch: with_weights(model, values, model.atomic, batch))
        dtype = model.potential.compute_dtype
        with self.precision(dtype):
            # Arrays, as those that laws give: with variables TensorFlow would compile another function.
            values = [ops.convert_to_numpy(weight) for weight in model.weights] if values is None else values
            outputs = self._functions[model](values, in_dtype(batch, dtype))
        return keras.tree.map_structure(_to_float64, outputs)

    def energies(self, batch, model):
        """Energies of the structures of a batch, `(structures,)` in eV, of a `ForceField` in float64, compiled without forces."""
        key = ("energies", model)
        if key not in self._functions:
            self._functions[key] = backend.jit(model.total_energy, layer=model)
        with self.float64():
            return _to_float64(self._functions[key](batch))

    def uncompiled_hard_batch(self, model=None):
        """`uncompiled` of `hard_batch`, computed once for each structure: several laws compare with it.

        Args:
            model: A `ForceField` in place of the tested one, `given`; it is kept in memory.
        """
        key = ("uncompiled", model or self.given)
        structure, outputs = self._functions.get(key, (None, None))
        if structure is not self.structure:
            outputs = self.uncompiled(self.hard_batch(), model)
            self._functions[key] = self.structure, outputs
        return outputs

    def uncompiled(self, batch, model=None):
        """Energies of the structures of a batch, operation by operation, as no compiler sees and simplifies them.

        On TensorFlow, where models are trained and evaluated without XLA too, also forces. On JAX nothing but a compiled function
        ever computes them, and the derivatives, operation by operation, would take as long as all laws together.

        Args:
            batch: Dict as `batch` makes it.
            model: A `ForceField` in place of the tested one, `given`. It computes in its own dtype.

        Returns:
            Dict of `energy` `(structures,)` in eV and, on TensorFlow, `forces` `(structures, atoms, 3)` in eV/Å: float64, NumPy.
        """
        model = model or self.given
        dtype = model.potential.compute_dtype
        with self.precision(dtype):
            batch = {name: ops.convert_to_tensor(value) for name, value in in_dtype(batch, dtype).items()}
            outputs = {"energy": model.total_energy(batch)}
            if backend.backend_name() == "tensorflow":
                outputs["forces"] = model.atomic(batch)["forces"]
        return {name: _to_float64(value) for name, value in outputs.items()}

    def neighborhood(self, batch):
        """The `Neighborhood` of all atoms of a batch, for the float64 model."""
        with self.float64():
            return self.model.neighborhood(batch)

    def label(self, atoms=None):
        """Function from an index of forces or atomic energies to the name of the atom."""
        symbols = list((atoms or self.structure).symbols)
        return lambda index: f" of atom {index[0]} ({symbols[index[0]]})"


def in_dtype(batch, dtype):
    """A batch with another dtype of its floating-point arrays."""
    return {name: value.astype(dtype) if value.dtype.kind == "f" else value for name, value in batch.items()}


def _to_float64(value):
    return ops.convert_to_numpy(value).astype("float64")


def _most_neighbors(atoms, cutoff):
    return int(np.bincount(neighbor_list(atoms, cutoff)[0], minlength=1).max())
