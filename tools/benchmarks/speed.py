"""Speed and memory: `python -m keras_ff_tools.benchmark_speed NAME [DATA]`."""

import resource
import sys
import time
from pathlib import Path

import keras
import numpy as np
from ase.build import bulk
from ase.io import read

import keras_ff as kff
from keras_ff import backend


def timed(function, repeats):
    """Median CPU and wall seconds of a call, after a warm-up of three."""
    for _ in range(3):
        function()
    times = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        function()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return np.median(np.array(times), axis=0)


def once(function):
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def peak():
    """Highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def row(what, value):
    print(f"| {what} | {value} |", flush=True)


def measured(function):
    """A function whose call ends when its results are there."""
    return lambda: [np.asarray(x) for x in function().values()]


def ean(data):
    """Energy and forces of one configuration of ethylammonium nitrate, and training steps of eight."""
    structures = read(Path(data) / "ean_validation.xyz", ":8")
    species = ["C", "H", "N", "O"]
    train_step("published NeuralIL", kff.potentials.NeuralIL.published(species, cutoff=3.5, n_max=4), structures)
    train_step("default NeuralIL", kff.potentials.NeuralIL(species, cutoff=3.5, n_max=4), structures)


def train_step(name, potential, structures):
    title = f"EAN, 225 atoms, cutoff 3.5 Å, n_max 4, {name}"
    model = kff.ForceField(potential)
    one, _ = kff.data.Dataset(structures[:1], model, batch_size=1)[0]
    eight = kff.data.Dataset(structures, model, batch_size=8)
    model.adapt(eight)
    function = backend.jit(lambda batch: model(batch), layer=model)
    _, compile_wall = once(measured(lambda: function(one)))
    cpu, wall = timed(measured(lambda: function(one)), 40)
    row(f"{title}: energy + forces", f"{1e3 * cpu:.1f} CPU ms, {1e3 * wall:.1f} ms wall; compiled in {compile_wall:.1f} s")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss={"energy_per_atom": kff.losses.LogCosh(50.0), "forces": kff.losses.LogCosh(5.0)},
        jit_compile=True,
    )
    _, start = once(lambda: model.fit(eight, epochs=1, verbose=0))
    batch, labels = eight[0]
    cpu, wall = timed(lambda: model.train_on_batch(batch, labels), 20)
    row(
        f"{title}: training step, batch of 8",
        f"{cpu:.3f} CPU s, {wall:.3f} s wall; first epoch of `fit` (compilation) {start:.1f} s, peak {peak():.0f} MB",
    )


def scaling(data=None):
    """Cost per atom and memory from 216 to 97,336 silicon atoms."""
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"]))
    costs = {}
    for cells in (3, 6, 15, 23):
        atoms = bulk("Si", cubic=True) * (cells, cells, cells)
        atoms.rattle(0.1, seed=1)
        atoms.calc = kff.Calculator(model)

        def step(atoms=atoms):
            atoms.positions += 1e-4
            atoms.get_forces()

        cpu, wall = timed(step, 20 if cells < 10 else 3)
        costs[len(atoms)] = cpu / len(atoms)
        row(
            f"Si, {len(atoms)} atoms, cutoff 5 Å, n_max 6: energy + forces through ASE",
            f"{1e6 * cpu / len(atoms):.1f} CPU µs/atom ({costs[len(atoms)] / costs[216]:.2f} of 216 atoms), "
            f"{wall:.4f} s wall, peak {peak():.0f} MB",
        )


def calculator(data=None):
    """Atoms per second of wall time of an ASE call, all neighbors kept up to date."""
    for n_max in (4, 6):
        model = kff.ForceField(kff.potentials.NeuralIL(["Si"], n_max=n_max))
        for cells in (3, 6):
            atoms = bulk("Si", cubic=True) * (cells, cells, cells)
            atoms.rattle(0.1, seed=1)
            atoms.calc = kff.Calculator(model)
            rng = np.random.default_rng(0)

            def step(atoms=atoms, rng=rng):
                # As far as an atom moves in 1 fs at 1000 K: the list is searched again now and then.
                atoms.positions += rng.normal(scale=0.005, size=atoms.positions.shape)
                atoms.get_forces()

            cpu, wall = timed(step, 100)
            speed = f"{len(atoms) / wall:.0f} atoms/s, {1e3 * wall:.2f} ms wall, {1e3 * cpu:.2f} CPU ms"
            row(f"ASE energy + forces, Si, {len(atoms)} atoms, cutoff 5 Å, n_max {n_max}", speed)


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    {"ean": ean, "scaling": scaling, "calculator": calculator}[sys.argv[1]](*sys.argv[2:])
