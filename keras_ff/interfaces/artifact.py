"""Exported force fields in ASE.

The folder of each artifact has this code as `calculator.py`, which needs NumPy, ASE, vesin and TensorFlow or JAX, and nothing of
keras_ff. Like every artifact it is a program: run only those of people whom you trust.

    from calculator import ArtifactCalculator

    atoms.calc = ArtifactCalculator("silicon")
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from keras_ff.data.placement import placed_pairs
from keras_ff.forks import check_process
from keras_ff.interfaces.description import INPUTS, read_description

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

# Numbers of atoms and neighbors are padded to multiples of these, so that few shapes are compiled.
ROWS, COLUMNS = 32, 4

# Numbers of dimensions of the arguments and the results.
RANKS = {"vectors": 3, "mask": 2, "center_species": 1, "neighbor_species": 2, "energies": 1, "gradient": 3, "energies_std": 1}


class Artifact:
    """Exported force field: a function from the vectors between atoms and their neighbors to energies and their derivatives.

    Args:
        folder: Folder that `keras_ff.export.export` wrote.

    Attributes:
        description: Content of `artifact.json`, a dict.
        species: Chemical symbols of the elements.
        cutoff: Radius in Å beyond which neighbors are ignored.
        dtype: NumPy dtype of energies and vectors.
        lock: Held by a thread that uses the results of a call.

    Raises:
        ValueError: If a file is missing or was changed, or the artifact has a newer format.

    Example:
        ::

            artifact = Artifact("silicon")
            results = artifact(vectors, mask, center_species, neighbor_species)
            results["energies"], results["gradient"]
    """

    def __init__(self, folder: str | os.PathLike):
        check_process()
        self.folder = Path(folder)
        self.description = read_description(self.folder)
        self.species, self.cutoff = self.description["species"], self.description["cutoff"]
        self.dtype = np.dtype(self.description["dtype"])
        self.lock = RLock()
        load = {"stablehlo": load_stablehlo, "saved_model": load_saved_model}[self.description["kind"]]
        self._function = load(self.folder, self.description["dtype"])

    def __call__(
        self, vectors: np.ndarray, mask: np.ndarray, center_species: np.ndarray, neighbor_species: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Compute energies of atoms and their derivatives with respect to the vectors, and the disagreement of an ensemble.

        Args:
            vectors: Vectors from each atom to its neighbors, (atoms, neighbors, 3), in Å.
            mask: Boolean (atoms, neighbors); False marks padding.
            center_species: Index into `species` of each atom, int32 (atoms,); -1 marks padding.
            neighbor_species: Index into `species` of each neighbor, int32 (atoms, neighbors).

        Returns:
            Dict of NumPy arrays: `energies` (atoms,) in eV and `gradient` (atoms, neighbors, 3) in eV/Å, the derivative of the sum
            of energies; for an ensemble also `energies_std` (atoms,) in eV, the standard deviation over its members.

        Raises:
            ValueError: If the arrays have shapes that do not belong together, or a species is out of range.
        """
        check_process()
        shape, last = np.shape(mask), len(self.species) - 1
        shapes = [np.shape(values) for values in (vectors, mask, center_species, neighbor_species)]
        if shapes != [(*shape, 3), shape, shape[:1], shape]:
            raise ValueError(f"Expected the shapes (N, K, 3), (N, K), (N,), (N, K) for N atoms, K neighbors. Received {shapes}.")
        for least, indices in ((-1, center_species), (0, neighbor_species)):
            if indices.min(initial=least) < least or indices.max(initial=last) > last:
                raise ValueError(f"Species are from {least} to {last}. Received {indices.min()} to {indices.max()}.")
        results = self._function(vectors.astype(self.dtype), mask, center_species.astype("int32"), neighbor_species.astype("int32"))
        results = {name: np.asarray(values) for name, values in results.items()}
        found = {name: values.shape for name, values in results.items()}
        if any(found.get(name) != shape for name, shape in (("energies", shape[:1]), ("gradient", (*shape, 3)))):
            raise ValueError(f"The results of {self.folder} have the shapes {found}: the artifact is damaged. Export it again.")
        return results

    def __reduce__(self):
        return Artifact, (self.folder.resolve(),)


class ArtifactCalculator(Calculator):
    """Calculator of ASE for an exported force field, with energy, free_energy, energies, forces and stress.

    An ensemble also has `energies_std` (atoms,) in eV, the standard deviation of the energy of each atom over the members, which is
    high where the force field extrapolates. The stress exists for structures that are periodic in three directions.

    Threads may share it, each with a structure of its own, and call `atoms.get_forces()`; `results` are those of the last one.
    Processes are started by `multiprocessing.get_context("spawn")`: the fork of a process that has computed gets an error.

    Args:
        folder: Folder of the artifact.
        **kwargs: Arguments of `ase.calculators.calculator.Calculator`.

    Raises:
        ValueError: If a file is missing or was changed, or the artifact has a newer format; in a calculation if the structure has
            no atoms, elements that the force field does not know, two atoms at the same position or a broken cell.

    Example:
        ::

            atoms.calc = ArtifactCalculator("silicon")
            atoms.get_potential_energy(), atoms.get_forces()
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, folder: str | os.PathLike, **kwargs: Any):
        super().__init__(**kwargs)
        self.artifact = Artifact(folder)
        if "energies_std" in self.artifact.description["outputs"]:
            self.implemented_properties = [*self.implemented_properties, "energies_std"]
        self._rows = Rows()

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return a property of a structure, one thread after the other; ASE calls it for all of them."""
        with self.artifact.lock:
            return super().get_property(name, atoms, allow_calculation)

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
            ValueError: If the structure is broken or has elements that the force field does not know.
        """
        super().calculate(atoms, properties, system_changes)
        i, j, vectors, species = self._neighbors(self.atoms)
        rows, columns = self._rows(i, vectors, species, species[j])
        outputs = self.artifact(*rows)
        count = len(self.atoms)
        gradient = outputs.pop("gradient")[i, columns].astype("float64")
        outputs = {name: values[:count].astype("float64") for name, values in outputs.items()}
        forces = np.zeros((count, 3))
        np.add.at(forces, i, gradient)
        np.subtract.at(forces, j, gradient)
        total = float(outputs["energies"].sum())
        virial = np.einsum("pi,pj->ij", vectors, gradient)
        virial = 0.5 * (virial + virial.T)
        self.results = {"energy": total, "free_energy": total, "forces": forces, "strain_derivatives": virial, **outputs}
        if self.atoms.pbc.all():
            stress = virial / self.atoms.get_volume()
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    def _neighbors(self, atoms):
        known = {symbol: index for index, symbol in enumerate(self.artifact.species)}
        unknown = sorted(set(atoms.symbols) - set(known))
        if unknown:
            raise ValueError(
                f"{atoms.get_chemical_formula()} has elements that the force field does not know: {unknown}. It was made for "
                f"{self.artifact.species}."
            )
        species = np.array([known[symbol] for symbol in atoms.symbols], "int32")
        near = placed_pairs(atoms, self.artifact.cutoff)
        return near["i"].astype(int), near["j"].astype(int), near["vectors"], species


class Rows:
    """Converter from pairs of atoms to the padded arrays that an artifact takes, one row for each atom.

    The numbers of rows and columns never shrink, so that an artifact is compiled rarely.

    Attributes:
        rows: Number of rows, atoms and padding.
        columns: Number of columns, neighbors and padding.
    """

    def __init__(self):
        self.rows = self.columns = 0

    def __call__(
        self, i: np.ndarray, vectors: np.ndarray, center_species: np.ndarray, neighbor_species: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """Make the padded arguments of an `Artifact`.

        Args:
            i: Index of the atom of each pair, its row, (pairs,), sorted.
            vectors: Vector from the atom to its neighbor, (pairs, 3), in Å.
            center_species: Index of the species of each atom, (atoms,).
            neighbor_species: Index of the species of each neighbor, (pairs,).

        Returns:
            Tuple of the four arguments of an `Artifact`, and the column of each pair, (pairs,).
        """
        counts = np.bincount(i, minlength=len(center_species))
        self.rows = max(self.rows, ROWS * -(-len(center_species) // ROWS))
        self.columns = max(self.columns, COLUMNS * -(-int(counts.max(initial=1)) // COLUMNS))
        columns = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.zeros((self.rows, self.columns, 3))
        mask, others = np.zeros(rows.shape[:2], bool), np.zeros(rows.shape[:2], "int32")
        rows[i, columns], mask[i, columns], others[i, columns] = vectors, True, neighbor_species
        centers = np.full(self.rows, -1, "int32")
        centers[: len(center_species)] = center_species
        return (rows, mask, centers, others), columns


def check_signature(folder: Path, dtype: str, found: dict[str, tuple[str, int]]) -> None:
    """Raise a ValueError if the function of an artifact is another one than its description says.

    Args:
        folder: Folder of the artifact.
        dtype: Dtype of vectors, energies and gradient.
        found: Dtypes and numbers of dimensions of the arguments and results, by their names.
    """
    dtypes = {"mask": "bool", "center_species": "int32", "neighbor_species": "int32"}
    expected = {name: (dtypes.get(name, dtype), rank) for name, rank in RANKS.items()}
    wrong = [name for name in RANKS if found.get(name) != expected[name] and (name in found or name != "energies_std")]
    if wrong:
        raise ValueError(
            f"The function in {folder} has {', '.join(f'{name} {found.get(name)}' for name in wrong)}, where artifact.json says "
            f"{', '.join(f'{expected[name]}' for name in wrong)}: the artifact is damaged. Export it again."
        )


def load_stablehlo(folder: Path, dtype: str) -> Callable:
    """Function of an artifact that is stored as `model.stablehlo`, compiled by JAX.

    Args:
        folder: Folder of the artifact.
        dtype: Dtype of its vectors, energies and gradient.

    Returns:
        Function of the four arrays of `Artifact`, with a dict of arrays of JAX.
    """
    import jax
    from jax import export

    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    program = export.deserialize(bytearray((folder / "model.stablehlo").read_bytes()))
    results = program.out_tree.unflatten(program.out_avals)
    known = {**dict(zip(INPUTS, program.in_avals)), **results}
    check_signature(folder, dtype, {name: (value.dtype.name, len(value.shape)) for name, value in known.items()})
    return jax.jit(program.call)


def load_saved_model(folder: Path, dtype: str) -> Callable:
    """Function of an artifact that is stored as `saved_model`, run by TensorFlow.

    Args:
        folder: Folder of the artifact.
        dtype: Dtype of its vectors, energies and gradient.

    Returns:
        Function of the four arrays of `Artifact`, with a dict of NumPy arrays.
    """
    import tensorflow as tf

    # A SavedModel from JAX says in itself how exact products of matrices are; for one from TensorFlow the process decides, and by
    # default GPUs would round float32 to 10 bits.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    module = tf.saved_model.load(str(folder / "saved_model"))
    signature = module.signatures["serving_default"]
    known = {**signature.structured_input_signature[1], **signature.structured_outputs}
    check_signature(folder, dtype, {name: (spec.dtype.name, spec.shape.rank) for name, spec in known.items()})

    def function(vectors, mask, centers, others):
        arguments = {"vectors": vectors, "mask": mask, "center_species": centers, "neighbor_species": others}
        results = signature(**{name: tf.constant(value) for name, value in arguments.items()})
        return {name: values.numpy() for name, values in results.items()}

    # The loaded module must live as long as its function.
    function.module = module
    return function


def check(folder: str | os.PathLike, file: str | os.PathLike) -> None:
    """Compare an artifact with known results, with keras_ff and the other backend hidden as if they were not installed.

    Prints a line of JSON with the largest differences in `energy` (eV) and `gradient` (eV/Å), and the `milliseconds` of a call.

    Args:
        folder: Folder of the artifact.
        file: NumPy file `.npz` with the arguments and the results of the model.
    """
    kind = read_description(folder)["kind"]
    for absent in ("keras_ff", *{"stablehlo": ("keras", "tensorflow"), "saved_model": ("jax",)}[kind]):
        sys.modules[absent] = None
    artifact, known = Artifact(folder), np.load(file)
    arguments = [known[name] for name in INPUTS]
    results = artifact(*arguments)
    calls = 10
    began = time.perf_counter()
    for _ in range(calls):
        artifact(*arguments)
    spent = (time.perf_counter() - began) / calls
    differences = {name: float(np.abs(values - known[name]).max()) for name, values in results.items()}
    gradient = differences.pop("gradient")
    print(json.dumps({"energy": max(differences.values()), "gradient": gradient, "milliseconds": 1e3 * spent}))


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2])
