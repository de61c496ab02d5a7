"""Artifacts: a folder with an exported function, its description, and the code that runs it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from keras import ops

import keras_ff
from keras_ff import backend
from keras_ff.data.batches import structure_batch
from keras_ff.geometry import Neighborhood
from keras_ff.interfaces import artifact as standalone
from keras_ff.models.ensemble import Ensemble
from keras_ff.models.files import astype

KINDS = ("saved_model", "stablehlo")

# Largest differences between an artifact and its model, in eV and eV/Å for one atom.
TOLERANCES = {"float64": (1e-10, 1e-9), "float32": (2e-4, 2e-3)}


def export(model, folder, to="saved_model", dtype=None, structures=()):
    """Write a force field as an artifact, and run it in a fresh process without keras_ff.

    All potentials have the same signature, for any number of atoms N and neighbors K:

        vectors (N, K, 3), mask (N, K), center_species (N,), neighbor_species (N, K) -> energies (N,), gradient (N, K, 3)

    in Å, eV and eV/Å; the gradient is that of the sum of energies by the vectors, reference energies are included, and padding
    atoms (center_species -1) have the energy 0. An `Ensemble` gives its means, and a third result, `energies_std` (N,) in eV.

    Args:
        model: `ForceField` without a part of long range.
        folder: Folder to write. What was exported there before is replaced, and nothing else is.
        to: "saved_model", for TensorFlow and engines in C++, from either backend; or "stablehlo", for JAX, from JAX: it holds
            the code for CPUs and for CUDA.
        dtype: "float32" or "float64"; that of the model by default.
        structures: List of `ase.Atoms` that the artifact is compared with the model on; a crystal of the first element by default.

    Returns:
        Dict of the largest differences in `energy` (eV) and `gradient` (eV/Å) and the `milliseconds` of a call.

    Raises:
        ValueError: If the model has a part of long range, or `folder` holds something else.
        RuntimeError: If the artifact gives other numbers than the model, or needs this library to run.
    """
    folder = Path(folder)
    if to not in KINDS:
        raise ValueError(f"to is one of {KINDS}. Received {to!r}.")
    if to == "stablehlo" and backend.backend_name() != "jax":
        raise ValueError("StableHLO is exported from JAX. Load the model with KERAS_BACKEND=jax, or export a saved_model.")
    if model.wave_cutoff > 0:
        raise ValueError(
            "The model has a part of long range (an Ewald sum), which is no function of neighbors. Use DampedShiftedForce in its "
            "place."
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / standalone.DESCRIPTION).exists():
        raise ValueError(f"{folder} holds something else than an artifact. Name a folder that is new or empty.")
    model = astype(model, dtype or model.compute_dtype)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as part:
        part = Path(part)
        write(model, part, to)
        shutil.copy(standalone.__file__, part / "calculator.py")
        describe(model, part, to)
        found = compare(model, part, structures)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
        # The temporary folder has another name now; an empty one takes its place, to be removed.
        part.mkdir()
    return found


def write(model, folder, to):
    """The function itself."""
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


def function_of(model):
    """What is exported, as a function from tensors to a dict of them."""

    def function(vectors, mask, center_species, neighbor_species):
        neighborhood = Neighborhood(vectors, mask, center_species, neighbor_species, model.cutoff)
        energies, gradient = model.energies_and_gradient(neighborhood)
        reference = ops.take(model.reference_energies, ops.maximum(center_species, 0), axis=0)
        found = {"energies": energies + ops.where(center_species >= 0, reference, 0.0), "gradient": gradient}
        if isinstance(model, Ensemble):
            found["energies_std"] = model.energies_std(neighborhood)
        return found

    return function


def describe(model, folder, to):
    """Write the description, with checksums of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    description = {
        "format": standalone.FORMAT,
        "kind": to,
        "species": list(model.species),
        "cutoff": float(model.cutoff),
        "dtype": model.compute_dtype,
        "units": {"length": "Å", "energy": "eV", "gradient": "eV/Å"},
        "inputs": ["vectors", "mask", "center_species", "neighbor_species"],
        "outputs": ["energies", "gradient", *(["energies_std"] if isinstance(model, Ensemble) else [])],
        "versions": {"keras_ff": keras_ff.__version__, **versions()},
        "files": {path.relative_to(folder).as_posix(): standalone.checksum(path) for path in files},
    }
    if to == "saved_model":
        # Deferred: it needs TensorFlow.
        from keras_ff.export.tensors import tensor_names

        # C++ has no reader of signatures.
        description["tensors"] = tensor_names(folder / "saved_model")
    (folder / standalone.DESCRIPTION).write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def versions():
    from importlib.metadata import version

    return {name: version(name) for name in ("keras", backend.backend_name())}


def compare(model, folder, structures):
    """Differences between artifact and model, found by a process that does not know this library."""
    largest = {"energy": 0.0, "gradient": 0.0, "milliseconds": 0.0}
    function = backend.jit(function_of(model), layer=model)
    for atoms in structures or [example(model)]:
        rows = [ops.convert_to_numpy(x) for x in model.neighborhood(structure_batch(model, atoms)).arrays]
        arguments = dict(zip(("vectors", "mask", "center_species", "neighbor_species"), rows))
        found = {name: ops.convert_to_numpy(values) for name, values in function(*rows).items()}
        with tempfile.TemporaryDirectory() as elsewhere:
            file = Path(elsewhere) / "known.npz"
            np.savez(file, **arguments, **found)
            # Isolated: neither the present folder nor PYTHONPATH can bring this library in.
            done = subprocess.run(
                [sys.executable, "-I", str((folder / "calculator.py").resolve()), str(folder.resolve()), str(file)],
                capture_output=True,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
            )
        if done.returncode:
            raise RuntimeError(f"The artifact does not run in a fresh process:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        largest = {name: max(value, found[name]) for name, value in largest.items()}
    allowed = TOLERANCES[model.compute_dtype]
    if not (largest["energy"] <= allowed[0] and largest["gradient"] <= allowed[1]):
        raise RuntimeError(
            f"The artifact differs from the model by {largest['energy']:.2g} eV and {largest['gradient']:.2g} eV/Å for one atom, "
            f"more than {allowed[0]:g} and {allowed[1]:g}. It was not written."
        )
    return largest


def example(model):
    """Atoms of all species at distances within the cutoff, at random places of a lattice."""
    from ase import Atoms

    spacing, random = 0.55 * model.cutoff, np.random.default_rng(0)
    places = spacing * np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)], float)
    places += random.normal(scale=0.05 * spacing, size=places.shape)
    symbols = [model.species[place % len(model.species)] for place in range(27)]
    return Atoms(symbols, places, cell=[3 * spacing] * 3, pbc=True)
