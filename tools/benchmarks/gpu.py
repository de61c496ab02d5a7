"""Figures on a GPU, right first and then fast: `keras-ff benchmark gpu`. On a machine without one, the same on its CPU."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.data.batches import structure_batch
from keras_ff.potentials import EDIP, NeuralIL, SplineMEAM, StillingerWeber
from keras_ff.simulation import NVE, Dynamics
from keras_ff.simulation.lists import DeviceLists
from keras_ff.simulation.start import thermal_velocities
from keras_ff_tools.benchmark import BUNDLED
from keras_ff_tools.benchmarks.measure import row

# Models of the package whose numbers are compared with those of the CPU, and a crystal of each.
PRESETS = {
    "silicon_stillinger_weber": "Si",
    "silicon_edip": "Si",
    "silicon_tersoff": "Si",
    "silicon_mlearn": "Si",
    "copper_mlearn": "Cu",
    "molybdenum_mlearn": "Mo",
    "lithium_splines": "Li",
}

# Largest differences from the CPU in float32 and float64, relative to the largest number of each output.
ALLOWED = {"float32": 3e-5, "float64": 1e-11}

# Atoms per second that the memory of an H100 would allow, from the numbers that each atom reads and writes.
ROOFLINE = {"Stillinger-Weber": 6e8, "NeuralIL": 1.6e7}


def numbers(path: str, dtype: str) -> None:
    """Write energies, forces, stress and the gradient of a loss of all models to a file.

    Args:
        path: The file, `.npz`.
        dtype: "float32" or "float64".
    """
    found = {}
    for name, atoms, model in _models(dtype):
        function = backend.jit(model.atomic, layer=model)
        outputs = function(structure_batch(model, atoms))
        for key in ("energies", "forces", "stress"):
            found[f"{name} {key}"] = np.asarray(outputs[key])
        found[f"{name} training"] = _gradient(model, atoms)
    np.savez(path, **found)


def _models(dtype) -> Iterator[tuple[str, Atoms, kff.ForceField]]:
    """Names, structures and models whose numbers are compared."""
    for name, symbol in PRESETS.items():
        yield name, _rattled(symbol), kff.load(f"preset:{name}", dtype=dtype)
    spline = SplineMEAM.from_lammps(BUNDLED / "Si_2.meam.spline", species="Si", dtype=dtype)
    yield "s-MEAM", _rattled("Si"), kff.ForceField(spline)


def _rattled(symbol):
    atoms = bulk(symbol, cubic=True) * (3, 3, 3)
    atoms.rattle(0.08, seed=1)
    return atoms


def _gradient(model, atoms):
    """Derivatives of a sum of squares of energies and forces with respect to all weights, as one vector: a step of training."""
    batch = structure_batch(model, atoms)
    values = [variable.value for variable in model.trainable_variables]

    def loss(values):
        with keras.StatelessScope(state_mapping=list(zip(model.trainable_variables, values, strict=True))):
            outputs = model.call(batch, training=True)
            return keras.ops.sum(outputs["forces"] ** 2) + keras.ops.sum(outputs["energy_per_atom"] ** 2)

    slopes = backend.jit(backend.grad(loss), layer=model)(values)
    return np.concatenate([np.asarray(x).ravel() for x in slopes]) if slopes else np.zeros(1)


def correct() -> None:
    """Compare energies, forces, stress and a step of training with those of the CPU of the same machine."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            (place, dtype): _start(Path(folder) / f"{place}_{dtype}.npz", dtype, place)
            for place in ("cpu", "device")
            for dtype in ALLOWED
        }
        for (place, dtype), process in runs.items():
            if process.wait():
                raise RuntimeError(f"The numbers in {dtype} on the {place} ended with status {process.returncode}.")
        for dtype, allowed in ALLOWED.items():
            cpu, device = (np.load(Path(folder) / f"{place}_{dtype}.npz") for place in ("cpu", "device"))
            worst = {key: np.abs(device[key] - cpu[key]).max() / max(np.abs(cpu[key]).max(), 1e-30) for key in cpu.files}
            name = max(worst, key=worst.get)
            energies = max(np.abs(device[key] - cpu[key]).max() for key in cpu.files if key.endswith("energies"))
            forces = max(np.abs(device[key] - cpu[key]).max() for key in cpu.files if key.endswith("forces"))
            row(
                f"{len(cpu.files) // 4} potentials in {dtype}: energies, forces, stress, gradients of a loss, against the CPU",
                f"{'equal' if worst[name] <= allowed else 'DIFFERENT'}: at most {worst[name]:.1e} of the largest number ({name}); "
                f"energies within {energies:.1e} eV, forces within {forces:.1e} eV/Å",
            )


def _start(path, dtype, place):
    """Process that writes `numbers`, on the CPU or where the backend computes by default."""
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if place == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    code = f"from keras_ff_tools.benchmarks.gpu import numbers; numbers({str(path)!r}, {dtype!r})"
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


def speed(
    sizes: Sequence[int] | None = None, kinds: Sequence[str] | None = None, each: float = 3.0, seconds: float = 180.0
) -> None:
    """Atom-steps per second of molecular dynamics of silicon, lists included, energies and forces alone, and memory.

    Args:
        sizes: Numbers of cubic cells of 8 atoms along each axis; by default from 1,000 to 10 million atoms on a GPU.
        kinds: Names of `KINDS`; all by default.
        each: Time of the simulation that is timed, in s.
        seconds: Time after which no further size is begun.
    """
    began = time.perf_counter()
    row("card, driver, memory", card())
    for name in kinds or KINDS:
        make, own = KINDS[name]
        for cells in sizes or (own if backend.accelerated() else [5]):
            if time.perf_counter() - began > seconds:
                print(f"no time is left for {name} and {8 * cells**3:,} atoms")
                continue
            try:
                row(f"silicon at 500 K, {8 * cells**3:,} atoms, float32, {name}", _speed(name, _model(make()), cells, each))
            except Exception as error:
                print(f"{name}, {8 * cells**3:,} atoms: {type(error).__name__}: {str(error)[:300]}", flush=True)
            gc.collect()


def _model(potential):
    return kff.Ensemble(potential) if getattr(potential, "members", None) else kff.ForceField(potential)


def _speed(name, model, cells, seconds):
    atoms = bulk("Si", a=5.431, cubic=True) * (cells, cells, cells)
    atoms.rattle(0.05, seed=1)
    atoms.set_velocities(thermal_velocities(atoms.get_masses(), 500.0, np.random.default_rng(0)))
    lists = DeviceLists(model, skin=0.5, moves=False)
    state = {"positions": lists.place(atoms), "cell": atoms.cell.array.astype(model.compute_dtype)}
    search = backend.jit(lists.search)
    start = time.perf_counter()
    batch, needs = search(state, lists.arrays)
    batch = {key: keras.ops.convert_to_tensor(x) for key, x in batch.items()}
    _wait(needs)
    compiled_list, list_time = time.perf_counter() - start, _best(search, state, lists.arrays)
    outputs = backend.jit(partial(_energy_and_forces, model), layer=model)
    start = time.perf_counter()
    _wait(outputs(batch))
    compiled, once = time.perf_counter() - start, _best(outputs, batch)
    del batch, needs
    dynamics = Dynamics(model, atoms, NVE())
    compiled_loop = _run(dynamics, 10)
    # Room for the neighbors of a warm crystal, and the time of a step.
    _run(dynamics, 30)
    step = max(_run(dynamics, 25) - _run(dynamics, 5), 1e-6) / 20.0
    count = int(np.clip(seconds / step, 25, 5000))
    each = min(_run(dynamics, count) for _ in range(2)) / count
    share = f"; {100 * len(atoms) / once / ROOFLINE[name]:.0f} % of the roofline" if name in ROOFLINE else ""
    return (
        f"MD {len(atoms) / each:.3g} atom-steps/s; energy + forces {len(atoms) / once:.3g} atoms/s ({1e3 * once:.3g} ms){share}; "
        f"a list {1e3 * list_time:.3g} ms; compiled in {compiled:.1f}, {compiled_list:.1f} (list) and {compiled_loop:.1f} s "
        f"(start of MD); {_memory()}"
    )


def _energy_and_forces(model, batch):
    outputs = model.atomic(batch)
    return {name: outputs[name] for name in ("energy", "forces")}


def _wait(tensors):
    """Wait until results are there; a function gives all of them at the same time."""
    np.asarray(tensors["energy" if "energy" in tensors else "closest"])


def _best(function: Callable, *args: object, repeats: int = 3) -> float:
    """Shortest time of a compiled function in s."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        results = function(*args)
        _wait(results if isinstance(results, dict) else results[1])
        times.append(time.perf_counter() - start)
    return min(times)


def _run(dynamics, steps):
    """Time of a simulation in s, what is before and after its steps included."""
    start = time.perf_counter()
    dynamics.run(steps, every=0, verbose=0)
    return time.perf_counter() - start


def training(batch_sizes: Sequence[int] = (4, 32), epochs: int = 5) -> None:
    """Structures per second in training the default `NeuralIL` on the bundled silicon.

    Args:
        batch_sizes: Numbers of structures of a batch.
        epochs: Number of timed epochs.
    """
    for size in batch_sizes:
        model = kff.ForceField(NeuralIL(["Si"]))
        data = kff.data.Dataset(kff.data.read(BUNDLED / "Si_train.xyz.gz"), model, batch_size=size, max_shapes=1, progress=False)
        model.adapt(data)
        loss = {"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)}
        model.compile(keras.optimizers.Adam(1e-3), loss=loss, jit_compile=True)
        start = time.perf_counter()
        model.fit(data, epochs=1, verbose=0)
        first, start = time.perf_counter() - start, time.perf_counter()
        model.fit(data, epochs=epochs, verbose=0)
        rate = epochs * len(data.structures) / (time.perf_counter() - start)
        row(f"training NeuralIL on silicon, batches of {size}", f"{rate:.0f} structures/s; first epoch {first:.1f} s; {_memory()}")


def card() -> str:
    """Name and driver of the GPU, or what there is instead."""
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no GPU of NVIDIA: figures of the CPU"


def _memory():
    peak = backend.peak_memory()
    return "memory unknown" if peak is None else f"peak of the device {peak / 2**20:,.0f} MiB"


MILLION = [50]
KINDS = {
    "NeuralIL": (lambda: NeuralIL(["Si"]), [50, 5, 23, 80]),
    "Stillinger-Weber": (StillingerWeber.silicon, [50, 5, 23, 108]),
    "s-MEAM": (lambda: SplineMEAM.from_lammps(BUNDLED / "Si_2.meam.spline", species="Si"), MILLION),
    "NeuralIL, fast": (lambda: NeuralIL(["Si"], size="fast"), MILLION),
    "NeuralIL, accurate": (lambda: NeuralIL(["Si"], size="accurate"), MILLION),
    "committee of 4 NeuralIL": (lambda: NeuralIL(["Si"], members=4), MILLION),
    "EDIP": (EDIP.silicon, MILLION),
}
