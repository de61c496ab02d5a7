"""Artifacts: folders with an exported force field, its description, and the code that runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

import keras_ff
from keras_ff import backend
from keras_ff.data.batches import structure_batch
from keras_ff.export.standalone import calculator_source
from keras_ff.files import checksum_of, folder_beside, sync
from keras_ff.geometry import Neighborhood
from keras_ff.interfaces import description as descriptions
from keras_ff.models.ensemble import Ensemble
from keras_ff.models.files import astype

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from keras_ff.models import ForceField

KINDS = tuple(descriptions.KINDS)

# Names in the folder of an artifact.
OWN = {"calculator.py", *KINDS, "model.stablehlo", descriptions.DESCRIPTION, "README.md", "__pycache__"}

README = """\
# Force field for {species}, exported by keras_ff

**Run it only if you trust the person who made it.** An artifact is a program: the model in this folder and `calculator.py` can do
whatever you can do on your machine. Its checksums tell that a file was damaged, not who wrote it.

    import sys
    sys.path.insert(0, "path of this folder")
    from calculator import ArtifactCalculator  # needs NumPy, ASE, vesin and {package}

    atoms.calc = ArtifactCalculator("path of this folder")

Energies are in eV, lengths in Å. Neighbors are atoms within {cutoff:g} Å. `artifact.json` describes the rest.
"""

# Largest allowed differences between an artifact and its model, in eV and eV/Å for one atom.
TOLERANCES = {"float64": (1e-10, 1e-9), "float32": (2e-4, 2e-3)}


def export(
    model: ForceField,
    folder: str | os.PathLike,
    to: str = "saved_model",
    dtype: str | None = None,
    structures: Sequence[Atoms] = (),
) -> dict[str, float]:
    """Write a force field as an artifact, and compare it with the model in a new process without keras_ff.

    All potentials have the same signature, for any number of atoms N and neighbors K:

        vectors (N, K, 3), mask (N, K), center_species (N,), neighbor_species (N, K) -> energies (N,), gradient (N, K, 3)

    in Å, eV and eV/Å. The gradient is the derivative of the sum of energies with respect to the vectors. Reference energies are
    included, and padding atoms (center_species -1) have the energy 0. The results of an `Ensemble` are means over its members,
    with a third result `energies_std` (N,) in eV, their standard deviations.

    An artifact is a program. Run those of people whom you trust only.

    Args:
        model: `ForceField` without a long-range term.
        folder: Folder to write. An artifact that was exported there before is replaced.
        to: "saved_model", for TensorFlow and engines in C++, from either backend; or "stablehlo", for JAX, from JAX: it contains
            the code for CPUs and for CUDA.
        dtype: "float32" or "float64"; that of the model by default.
        structures: List of `ase.Atoms` for which artifact and model are compared; by default a random crystal of all species.

    Returns:
        Dict of the largest differences in `energy` (eV) and `gradient` (eV/Å) for one atom, and the `milliseconds` of a call.

    Raises:
        ImportError: If TensorFlow (saved_model) or flatbuffers (stablehlo) is not installed.
        ValueError: If the model has a long-range term, or `folder` contains something other than an artifact.
        RuntimeError: If the results of the artifact differ from those of the model, or it needs this library to run.

    Example:
        ::

            from keras_ff.interfaces.artifact import ArtifactCalculator

            kff.export.export(model, "silicon")
            atoms.calc = ArtifactCalculator("silicon")
    """
    folder = Path(folder).absolute()
    if to not in KINDS:
        raise ValueError(f"to is one of {KINDS}. Received {to!r}.")
    if to == "stablehlo" and backend.backend_name() != "jax":
        raise ValueError("StableHLO is exported from JAX. Load the model with KERAS_BACKEND=jax, or export a saved_model.")
    needed = {"saved_model": "tensorflow", "stablehlo": "flatbuffers"}[to]
    if not find_spec(needed):
        other = ", or export to stablehlo, which needs JAX alone" if to == "saved_model" else ""
        raise ImportError(
            f"An artifact of the kind {to} is written by {needed}, which is not installed: pip install {needed}{other}."
        )
    if model.wave_cutoff > 0:
        raise ValueError(
            "The model has a long-range term (an Ewald sum), which is not a function of neighbors. Use DampedShiftedForce instead."
        )
    check_replaceable(folder)
    model = astype(model, dtype or model.compute_dtype)
    with folder_beside(folder) as temporary:
        new = temporary / "new"
        new.mkdir()
        write(model, new, to)
        (new / "calculator.py").write_text(calculator_source(), encoding="utf-8")
        describe(model, new, to)
        differences = compare(model, new, structures)
        for path in new.rglob("*"):
            sync(path)
        if folder.exists():
            folder.rename(temporary / "old")
        new.rename(folder)
    return differences


def check_replaceable(folder: Path) -> None:
    """Raise a ValueError if a folder holds anything that an export would destroy.

    Args:
        folder: Folder of an artifact, or one that does not exist.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file. Name a folder that is new or empty.")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if names and descriptions.DESCRIPTION not in names:
        raise ValueError(f"{folder} holds something else than an artifact. Name a folder that is new or empty.")
    if names - OWN:
        raise ValueError(
            f"{folder} holds an artifact and other files, which an export would remove: {', '.join(sorted(names - OWN)[:5])}. "
            "Move them, or name another folder."
        )


def write(model: ForceField, folder: Path, to: str) -> None:
    """Write the function of an artifact, `saved_model` or `model.stablehlo`.

    Args:
        model: `ForceField`.
        folder: Folder of the artifact.
        to: "saved_model" or "stablehlo".
    """
    # Deferred: each needs another backend or package.
    if to == "stablehlo":
        from keras_ff.export.stablehlo import write_stablehlo

        write_stablehlo(model, function_of(model), folder / "model.stablehlo")
    elif backend.backend_name() == "jax":
        from keras_ff.export.saved_model_jax import write_saved_model

        write_saved_model(model, function_of(model), folder / "saved_model")
    else:
        from keras_ff.export.saved_model_tensorflow import write_saved_model

        write_saved_model(model, function_of(model), folder / "saved_model")


def function_of(model: ForceField) -> Callable:
    """Function that is exported, from tensors to a dict of tensors.

    Args:
        model: `ForceField`.

    Returns:
        Function of `vectors` (N, K, 3) in Å, `mask` (N, K), `center_species` (N,) and `neighbor_species` (N, K), with the results
        `energies` (N,) in eV and `gradient` (N, K, 3) in eV/Å, and for an `Ensemble` `energies_std` (N,) in eV.
    """

    def function(vectors, mask, center_species, neighbor_species):
        neighborhood = Neighborhood(vectors, mask, center_species, neighbor_species, model.cutoff)
        energies, gradient = model.energies_and_gradient(neighborhood)
        reference = ops.take(model.reference_energies, ops.maximum(center_species, 0), axis=0)
        results = {"energies": energies + ops.where(center_species >= 0, reference, 0.0), "gradient": gradient}
        if isinstance(model, Ensemble):
            results["energies_std"] = model.energies_std(neighborhood)
        return results

    return function


def describe(model: ForceField, folder: Path, to: str) -> None:
    """Write the description of an artifact: JSON with species, cutoff, units, versions, checksums of all files; and a README.

    Args:
        model: `ForceField`.
        folder: Folder of the artifact, with all other files.
        to: "saved_model" or "stablehlo".
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    description = {
        "format": descriptions.FORMAT,
        "kind": to,
        "species": list(model.species),
        "cutoff": float(model.cutoff),
        "dtype": model.compute_dtype,
        "units": descriptions.EXPORTED_UNITS,
        "inputs": descriptions.INPUTS,
        "outputs": [*descriptions.OUTPUTS, *(["energies_std"] if isinstance(model, Ensemble) else [])],
        "versions": {"keras_ff": keras_ff.__version__, **versions()},
        "files": {path.relative_to(folder).as_posix(): checksum_of(path) for path in files},
    }
    if to == "saved_model":
        # Deferred: it needs TensorFlow.
        from keras_ff.export.tensors import tensor_names

        # C++ has no reader of signatures.
        description["tensors"] = tensor_names(folder / "saved_model")
    descriptions.write_description(folder, description)
    # Without a checksum: users may add to it.
    package = {"saved_model": "TensorFlow", "stablehlo": "JAX"}[to]
    text = README.format(species=" ".join(model.species), package=package, cutoff=model.cutoff)
    (folder / "README.md").write_text(text, encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of Keras and the backend, by the names of their packages."""
    from importlib.metadata import version

    return {name: version(name) for name in ("keras", backend.backend_name())}


def compare(model: ForceField, folder: Path, structures: Sequence[Atoms]) -> dict[str, float]:
    """Differences between an artifact and its model, computed in a process that cannot import this library.

    Args:
        model: `ForceField`.
        folder: Folder of the artifact, in a temporary folder.
        structures: List of `ase.Atoms`; if empty, a random crystal of all species.

    Returns:
        Dict of the largest differences in `energy` (eV) and `gradient` (eV/Å) for one atom, and the `milliseconds` of a call.

    Raises:
        RuntimeError: If the artifact does not run, or the differences are larger than rounding explains.
    """
    largest = {"energy": 0.0, "gradient": 0.0, "milliseconds": 0.0}
    function = backend.jit(function_of(model), layer=model)
    file = folder.parent / "known.npz"
    for atoms in structures or [example(model)]:
        rows = [ops.convert_to_numpy(x) for x in model.neighborhood(structure_batch(model, atoms)).arrays]
        arguments = dict(zip(("vectors", "mask", "center_species", "neighbor_species"), rows))
        results = {name: ops.convert_to_numpy(values) for name, values in function(*rows).items()}
        np.savez(file, **arguments, **results)
        # Isolated: this library is found neither in the present folder nor through PYTHONPATH.
        done = subprocess.run(
            [sys.executable, "-I", str((folder / "calculator.py").resolve()), str(folder.resolve()), str(file)],
            capture_output=True,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
        )
        if done.returncode:
            raise RuntimeError(f"The artifact does not run in a fresh process:\n{done.stderr[-2000:]}")
        measured = json.loads(done.stdout.strip().splitlines()[-1])
        largest = {name: max(value, measured[name]) for name, value in largest.items()}
    allowed = TOLERANCES[model.compute_dtype]
    if not (largest["energy"] <= allowed[0] and largest["gradient"] <= allowed[1]):
        raise RuntimeError(
            f"The artifact differs from the model by {largest['energy']:.2g} eV and {largest['gradient']:.2g} eV/Å for one atom, "
            f"more than {allowed[0]:g} and {allowed[1]:g}. It was not written."
        )
    return largest


def example(model: ForceField) -> Atoms:
    """Crystal of all species of a model with random displacements, and with distances within the cutoff.

    Args:
        model: `ForceField`.

    Returns:
        `ase.Atoms` of 27 atoms.
    """
    from ase import Atoms

    spacing, random = 0.55 * model.cutoff, np.random.default_rng(0)
    positions = spacing * np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)], float)
    positions += random.normal(scale=0.05 * spacing, size=positions.shape)
    symbols = [model.species[index % len(model.species)] for index in range(27)]
    return Atoms(symbols, positions, cell=[3 * spacing] * 3, pbc=True)
