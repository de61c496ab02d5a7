"""Exported force fields in ASE: this file needs NumPy, ASE, vesin and TensorFlow or JAX, and nothing of keras_ff.

A copy of it lies in the folder of each artifact as `calculator.py`:

    from calculator import ArtifactCalculator

    atoms.calc = ArtifactCalculator("silicon")
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import vesin
from ase.calculators.calculator import Calculator, all_changes
from ase.cell import Cell

# Of the folder. Raised when older code cannot read newer artifacts.
FORMAT = 1
DESCRIPTION = "artifact.json"

# Rows and columns are padded to multiples of these, so that few shapes are compiled.
ROWS, COLUMNS = 32, 4


class Artifact:
    """An exported force field: a function of the vectors from atoms to their neighbors.

    Args:
        folder: Folder that `keras_ff.export.export` wrote.

    Attributes:
        description: What `artifact.json` says.

    Raises:
        ValueError: If a file is missing or was changed, or the artifact is of a newer format.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.description = read_description(self.folder)
        self.species, self.cutoff = self.description["species"], self.description["cutoff"]
        self.dtype = np.dtype(self.description["dtype"])
        self._function = {"stablehlo": load_stablehlo, "saved_model": load_saved_model}[self.description["kind"]](self.folder)

    def __call__(self, vectors, mask, center_species, neighbor_species):
        """Energies of atoms, their derivatives by the vectors, and for an ensemble how much its members disagree.

        Args:
            vectors: From each atom to its neighbors, `(atoms, neighbors, 3)`, in Å.
            mask: Boolean `(atoms, neighbors)`; False is padding.
            center_species: int32 `(atoms,)`, places in `species`; -1 is padding.
            neighbor_species: int32 `(atoms, neighbors)`.

        Returns:
            Dict of NumPy arrays: `energies` `(atoms,)` in eV, `gradient` `(atoms, neighbors, 3)` in eV/Å; and of an ensemble
            `energies_std` `(atoms,)` in eV.
        """
        found = self._function(vectors.astype(self.dtype), mask, center_species.astype("int32"), neighbor_species.astype("int32"))
        return {name: np.asarray(values) for name, values in found.items()}


class ArtifactCalculator(Calculator):
    """An exported force field for ASE: energy, free_energy, energies, forces and stress.

    Of an ensemble also `energies_std`, standard deviations of the members' energies of the atoms in eV: high where it extrapolates.

    Args:
        folder: Folder of the artifact.

    Raises:
        ValueError: As `Artifact`, and at a calculation if the atoms have elements that the force field does not know.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, folder, **kwargs):
        super().__init__(**kwargs)
        self.artifact = Artifact(folder)
        if "energies_std" in self.artifact.description["outputs"]:
            self.implemented_properties = [*self.implemented_properties, "energies_std"]
        self._rows = Rows()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, j, vectors, species = self._neighbors(self.atoms)
        rows, places = self._rows(i, vectors, species, species[j])
        found = self.artifact(*rows)
        count = len(self.atoms)
        pulls = found.pop("gradient")[i, places].astype("float64")
        found = {name: values[:count].astype("float64") for name, values in found.items()}
        forces = np.zeros((count, 3))
        np.add.at(forces, i, pulls)
        np.subtract.at(forces, j, pulls)
        total = float(found["energies"].sum())
        self.results = {"energy": total, "free_energy": total, "forces": forces, **found}
        if self.atoms.pbc.all():
            virial = np.einsum("pi,pj->ij", vectors, pulls)
            stress = 0.5 * (virial + virial.T) / self.atoms.get_volume()
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    def _neighbors(self, atoms):
        known = {symbol: place for place, symbol in enumerate(self.artifact.species)}
        unknown = sorted(set(atoms.symbols) - set(known))
        if unknown:
            raise ValueError(
                f"{atoms.get_chemical_formula()} has elements that the force field does not know: {unknown}. It was made for "
                f"{self.artifact.species}."
            )
        species = np.array([known[symbol] for symbol in atoms.symbols], "int32")
        search = vesin.NeighborList(cutoff=self.artifact.cutoff, full_list=True, sorted=True)
        box = np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)
        points = near_the_origin(atoms.positions, box, atoms.pbc)
        i, j, vectors = search.compute(points=points, box=box, periodic=atoms.pbc, quantities="ijD")
        return i.astype(int), j.astype(int), vectors, species


def near_the_origin(positions, box, periodic):
    """Positions in Å without the digits that a structure far away loses: atoms in the cell, or the middle of a molecule at 0."""
    full = Cell(box).complete()[:]
    fractions = positions @ np.linalg.inv(full)
    crossings = np.floor(fractions) * periodic
    if not len(positions) or np.abs(crossings).max() <= 1.0:
        crossings = 0.0 * crossings
    middle = np.where(periodic, 0.0, 0.5 * (fractions.max(axis=0, initial=-np.inf) + fractions.min(axis=0, initial=np.inf))) @ full
    return positions - crossings @ box - (middle if np.linalg.norm(middle) > 100.0 else 0.0)


class Rows:
    """Pairs of atoms as the padded rows that an artifact takes. Rows and columns never become fewer, so that it compiles rarely."""

    def __init__(self):
        self.rows = self.columns = 0

    def __call__(self, i, vectors, center_species, neighbor_species):
        """Arguments of an `Artifact`, and the columns of the pairs.

        Args:
            i: Atom of each pair, its row, `(pairs,)`, sorted.
            vectors: `(pairs, 3)`, in Å.
            center_species: `(atoms,)`.
            neighbor_species: `(pairs,)`.
        """
        counts = np.bincount(i, minlength=len(center_species))
        self.rows = max(self.rows, ROWS * -(-len(center_species) // ROWS))
        self.columns = max(self.columns, COLUMNS * -(-int(counts.max(initial=1)) // COLUMNS))
        places = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.zeros((self.rows, self.columns, 3))
        mask, others = np.zeros(rows.shape[:2], bool), np.zeros(rows.shape[:2], "int32")
        rows[i, places], mask[i, places], others[i, places] = vectors, True, neighbor_species
        centers = np.full(self.rows, -1, "int32")
        centers[: len(center_species)] = center_species
        return (rows, mask, centers, others), places


def read_description(folder):
    """The description of an artifact, after its files were compared with their checksums."""
    path = Path(folder) / DESCRIPTION
    if not path.exists():
        raise ValueError(f"{folder} is no artifact: it has no {DESCRIPTION}. Write one with `keras-ff export`.")
    description = json.loads(path.read_text())
    if description["format"] > FORMAT:
        raise ValueError(f"{folder} has format {description['format']}, and this code reads up to {FORMAT}. Use a newer keras_ff.")
    for name, expected in description["files"].items():
        file = Path(folder) / name
        if not file.exists() or checksum(file) != expected:
            raise ValueError(
                f"{file} is {'not as it was written' if file.exists() else 'missing'}: the artifact is damaged. Export it again."
            )
    return description


def checksum(file):
    """SHA-256 of a file."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def load_stablehlo(folder):
    """The function of `model.stablehlo`, by JAX."""
    import jax
    from jax import export

    if json.loads((folder / DESCRIPTION).read_text())["dtype"] == "float64":
        jax.config.update("jax_enable_x64", True)
    return jax.jit(export.deserialize(bytearray((folder / "model.stablehlo").read_bytes())).call)


def load_saved_model(folder):
    """The function of `saved_model`, by TensorFlow."""
    import tensorflow as tf

    module = tf.saved_model.load(str(folder / "saved_model"))
    signature = module.signatures["serving_default"]

    def function(vectors, mask, centers, others):
        arguments = {"vectors": vectors, "mask": mask, "center_species": centers, "neighbor_species": others}
        found = signature(**{name: tf.constant(value) for name, value in arguments.items()})
        return {name: values.numpy() for name, values in found.items()}

    # What was loaded lives as long as its function.
    function.module = module
    return function


def check(folder, file):
    """Compare the artifact with results in a file, as if keras_ff and the other backend were not installed.

    Prints the differences and the time of a call.
    """
    kind = json.loads((Path(folder) / DESCRIPTION).read_text())["kind"]
    for absent in ("keras_ff", *{"stablehlo": ("keras", "tensorflow"), "saved_model": ("jax",)}[kind]):
        sys.modules[absent] = None
    artifact, known = Artifact(folder), np.load(file)
    arguments = [known[name] for name in ("vectors", "mask", "center_species", "neighbor_species")]
    found = artifact(*arguments)
    calls = 10
    began = time.perf_counter()
    for _ in range(calls):
        artifact(*arguments)
    spent = (time.perf_counter() - began) / calls
    differences = {name: float(np.abs(values - known[name]).max()) for name, values in found.items()}
    gradient = differences.pop("gradient")
    print(json.dumps({"energy": max(differences.values()), "gradient": gradient, "milliseconds": 1e3 * spent}))


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2])
