"""What all benchmarks share: times, memory, rows of the table, errors of a model, and one way to train."""

import datetime
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from ase.units import fs

import keras_ff as kff
from keras_ff import backend
from keras_ff.simulation.start import thermal_velocities
from keras_ff_tools.run.evaluation import predict
from keras_ff_tools.run.folder import versions


def row(what: str, value: str) -> None:
    """Print a row of the table."""
    print(f"| {what} | {value} |", flush=True)


def append(path: str | os.PathLike, rows: Sequence[str], command: str) -> None:
    """Add rows to a Markdown file as a dated section, with machine and versions."""
    lines = [f"\n### {datetime.date.today()}, `{command}`", "", f"{machine()}", "", "| what | measured |", "|---|---|"]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n".join([*lines, *(f"| {one}" for one in rows)]) + "\n")


def machine() -> str:
    """Processor, cores and versions, in one line."""
    known = versions()
    software = ", ".join(f"{name} {known[name]}" for name in ("python", "keras_ff", "keras", known["backend"], "numpy", "vesin"))
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.processor())
    except OSError:
        processor = platform.processor() or platform.machine()
    return f"{processor}, {known['cores']} cores; {software}"


def timed(function: Callable[[], object], repeats: int, warm_up: int = 3) -> tuple[float, float]:
    """Median CPU and wall time of a call in s, after calls that warm up."""
    for _ in range(warm_up):
        function()
    return tuple(np.median([once(function) for _ in range(repeats)], axis=0).tolist())


def once(function: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall time of a single call in s."""
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def peak() -> float:
    """Highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def awaited(function: Callable[[], Mapping]) -> Callable[[], list[np.ndarray]]:
    """A function whose call ends when the arrays that the given one returns are there."""
    return lambda: [np.asarray(x) for x in function().values()]


def compiled(model: kff.ForceField, batch: Mapping, names: Sequence[str] = ("energy", "forces")) -> Callable[[], list[np.ndarray]]:
    """Some outputs of a model for a batch, as a compiled function without arguments whose call ends when they are there."""
    function = backend.jit(lambda batch: {name: value for name, value in model(batch).items() if name in names}, layer=model)
    return awaited(lambda: function(batch))


def batch_of(model: kff.ForceField, atoms: Atoms) -> dict[str, np.ndarray]:
    """One structure as a batch."""
    return kff.data.Dataset([atoms], model, batch_size=1, progress=False)[0][0]


def ase_step(model: kff.ForceField, atoms: Atoms) -> Callable[[], None]:
    """A function that moves the atoms a little and asks ASE for the forces, within the neighbor list that is there."""
    atoms.calc = kff.Calculator(model)

    def step():
        atoms.positions += 1e-4
        atoms.get_forces()

    return step


def melted(model: kff.ForceField, cells: int, steps: int = 300) -> Atoms:
    """Silicon at about 1000 K, so many cubic cells of 8 atoms along each axis."""
    return heated(bulk("Si", a=5.431, cubic=True) * (cells, cells, cells), model, temperature=2000, steps=steps)


def heated(crystal: Atoms, model: kff.ForceField, temperature: float, steps: int) -> Atoms:
    """A crystal after steps of 1 fs that begin with the kinetic energy of a temperature; half of it becomes potential energy."""
    atoms = crystal.copy()
    atoms.calc = kff.Calculator(model)
    atoms.set_velocities(thermal_velocities(atoms.get_masses(), temperature, np.random.default_rng(0)))
    VelocityVerlet(atoms, 1.0 * fs).run(steps)
    atoms.calc = None
    return atoms


def mlearn(data: str | os.PathLike, symbol: str, part: str) -> list[Atoms]:
    """Structures of an element of the mlearn set.

    Args:
        data: Folder of files such as Si_train.xyz.
        symbol: Chemical symbol.
        part: "train" or "test".
    """
    return kff.data.read(mlearn_file(data, symbol, part))


def mlearn_file(data: str | os.PathLike, symbol: str, part: str) -> str:
    """File of `mlearn`; it may be compressed."""
    found = sorted(Path(data).glob(f"{symbol}_{part}.xyz*"))
    if not found:
        raise FileNotFoundError(f"There is no {symbol}_{part}.xyz in {data}. Name the folder of the mlearn set with --data.")
    return str(found[0])


def train(
    model: kff.ForceField,
    data: kff.data.Dataset,
    epochs: int,
    rate: float = 3e-3,
    loss: Mapping | None = None,
    loss_weights: Mapping | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train a model with Adam and one cycle of the learning rate.

    Args:
        model: The model, adapted to the data.
        data: Training set in batches.
        epochs: Number of epochs.
        rate: Peak of the learning rate.
        loss: Loss of each output; by default that of `keras-ff train` for energies and forces.
        loss_weights: Weight of each loss.
        callbacks: Callbacks of Keras.
    """
    schedule = kff.training.one_cycle(rate, epochs * len(data))
    loss = loss or {"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)}
    model.compile(keras.optimizers.Adam(schedule), loss=loss, loss_weights=loss_weights, jit_compile=True)
    model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks))


def epochs_of(steps: int, data: kff.data.Dataset) -> int:
    """Number of epochs that have about so many training steps."""
    return max(1, round(steps / len(data)))


def errors(model: kff.ForceField, structures: Sequence[Atoms], measure: str = "mae", batch_size: int = 8) -> tuple[float, float]:
    """Errors of energies in meV/atom and of force components in meV/Å.

    Args:
        model: The model.
        structures: Structures with energies and forces.
        measure: "mae", "rmse" or "largest".
        batch_size: Number of structures at a time.
    """
    rows = predict(model, structures, batch_size, progress=False).errors()
    return tuple(one[measure] for one in rows if one["group"] == "all" and one["label"] != "stress")
