"""The same model on the other backend, in a process of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.choose_backend import BACKENDS, is_installed
from keras_ff.testing.law import LawResult, Worst

_PROGRAM = """
import sys
from keras_ff.testing.backends import predict_file
predict_file(*sys.argv[1:])
"""


def other_backend():
    """Name of the backend that is not in use, or None if it is not installed."""
    (name,) = set(BACKENDS) - {backend.backend_name()}
    return name if is_installed(name) else None


def predict_in_backend(name, path, batch, modules=()):
    """Outputs of a saved model, computed in float64 by a new process on a backend.

    Args:
        name: "jax" or "tensorflow".
        path: The `.keras` file.
        batch: Dict of arrays as `Probe.batch` makes it.
        modules: Names of modules to import first, those with your own classes in the model.

    Returns:
        Dict of what `ForceField.atomic` returns, as NumPy arrays, without the members of an ensemble.

    Raises:
        RuntimeError: If the process fails; the text ends with what it printed last.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        np.savez(inputs, **batch)
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path), str(inputs), str(outputs), *modules],
            env={**os.environ, "KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"The model could not be evaluated on {name}:\n{done.stderr.strip()[-2000:]}")
        with np.load(outputs) as file:
            return dict(file)


def predict_file(path, inputs, outputs, *modules):
    """Write the outputs of a model for a batch to a file: what the new process does.

    Args:
        path: The `.keras` file.
        inputs: The `.npz` file of the batch.
        outputs: The `.npz` file to write.
        modules: Names of modules to import first.
    """
    from importlib import import_module

    from keras_ff.models import load

    for module in modules:
        import_module(module)
    model = load(path, dtype="float64")
    with np.load(inputs) as file:
        batch = dict(file)

    def outputs_of(batch):
        # Those of each member of an ensemble, a dict, are not for files.
        return {name: value for name, value in model.atomic(batch).items() if not isinstance(value, dict)}

    found = backend.jit(outputs_of)(batch)
    np.savez(outputs, **{name: ops.convert_to_numpy(value) for name, value in found.items()})


def backends_agree(probe, path, structures=None, modules=(), tolerance=1e-9):
    """A saved model has the same energies and forces in float64 on the other backend.

    Args:
        probe: `Probe` with the model that the file holds.
        path: The `.keras` file.
        structures: List of `ase.Atoms`; by default those of the probe.
        modules: As in `predict_in_backend`.
        tolerance: Largest deviation that passes, relative to the largest number, or to 1 eV, 1 eV/Å, 0.01 eV/Å³.

    Returns:
        `LawResult`, or None if the other backend is not installed.
    """
    other = other_backend()
    if other is None:
        return None
    name = f"agreement with {other}"
    batch = probe.batch(structures or probe.structures)
    try:
        found = predict_in_backend(other, path, batch, modules)
    except RuntimeError as error:
        return LawResult(name, np.nan, tolerance, str(error))
    expected = probe.outputs(batch)
    worst = Worst()
    for label, output in (("energy", "energies"), ("forces", "forces"), ("forces", "forces_std")):
        if output in expected:
            worst.compare(label, found[output], expected[output], lambda index: f" of atom {index[1]} of structure {index[0]}")
    if np.isfinite(expected["stress"]).all():
        worst.compare("stress", found["stress"], expected["stress"])
    return worst.result(name, tolerance)
