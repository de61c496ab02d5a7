"""Streaming from disk, and fine-tuning: `python -m keras_ff_tools.benchmark_scale streaming [STRUCTURES]` or `fine-tuning DATA`."""

import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff import backend
from keras_ff.data.neighbors import neighbor_list
from keras_ff_tools.benchmark_speed import peak, row
from keras_ff_tools.benchmark_spline_networks import errors, read
from keras_ff_tools.run_folder import cache_folder

LOSS = {"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)}

# Of streaming: radius in Å, structures in a batch, batches that are measured, and bytes of neighbor lists that may be kept.
CUTOFF = 4.0
BATCH = 8
BATCHES = 200
KEPT = 32e6

# Of fine-tuning: structures of the new element, training steps, size of the descriptor, and seeds that choose the structures.
COUNTS = (10, 25)
FIRST_STEPS, STEPS = 2000, 400
N_MAX = 4
SEEDS = (0, 1, 2)
# Structures of the old element among those of the new.
REPLAY = 25


def synthetic(count, seed=0):
    """Distorted silicon of 8 and 16 atoms with the energies and forces of a Morse potential, one after the other."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        atoms = bulk("Si", cubic=True) * (1 + (number % 3 == 0), 1, 1)
        atoms.set_cell(atoms.cell * rng.uniform(0.95, 1.05), scale_atoms=True)
        atoms.positions += rng.normal(scale=0.1, size=atoms.positions.shape)
        i, j, shifts = neighbor_list(atoms, CUTOFF)
        vectors = atoms.positions[j] - atoms.positions[i] + shifts @ atoms.cell.array
        r = np.linalg.norm(vectors, axis=1)
        stretch = np.exp(-1.5 * (r - 2.35))
        pulls = (3.0 * (stretch - stretch**2) / r)[:, None] * vectors
        forces = np.stack([np.bincount(i, pulls[:, axis], minlength=len(atoms)) for axis in range(3)], axis=1)
        atoms.calc = SinglePointCalculator(atoms, energy=0.5 * np.sum(stretch**2 - 2.0 * stretch), forces=forces)
        yield atoms


def streaming(count="100000"):
    """A data set in a file: memory, and the part of `fit` that is not training steps."""
    count = int(count)
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], cutoff=CUTOFF, n_max=4))
    with tempfile.TemporaryDirectory() as folder:
        path, before, began = Path(folder) / "structures.h5", peak(), time.perf_counter()
        kff.data.write_cache(synthetic(count), path, CUTOFF)
        row(
            f"{count} structures of 8 and 16 atoms written one by one",
            f"{1e3 * (time.perf_counter() - began) / count:.2f} ms each, labels included; {path.stat().st_size / 2**20:.0f} MiB on "
            f"disk, {peak() - before:.0f} MB more memory",
        )
        before, began = peak(), time.perf_counter()
        data = kff.data.Dataset(path, model, batch_size=BATCH, max_shapes=2, max_memory=KEPT)
        row(
            f"Dataset of {count} structures in a file",
            f"opened in {time.perf_counter() - began:.2f} s, {peak() - before:.0f} MB more memory",
        )
        began = time.perf_counter()
        model.adapt(kff.data.Dataset(data.structures[:1000], model, batch_size=BATCH, shapes=data.shapes))
        model.compile(keras.optimizers.Adam(1e-3), loss=LOSS)
        model.fit(data, steps_per_epoch=20, verbose=0)
        before, began = peak(), time.perf_counter()
        model.fit(data, steps_per_epoch=BATCHES, verbose=0)
        streamed = time.perf_counter() - began
        began = time.perf_counter()
        batches = Batches([data[number] for number in range(BATCHES)])
        made = time.perf_counter() - began
        model.fit(batches, verbose=0, shuffle=False)
        began = time.perf_counter()
        model.fit(batches, verbose=0, shuffle=False)
        trained = time.perf_counter() - began
        row(
            f"training from the file, batches of {BATCH}, NeuralIL n_max 4",
            f"{1e3 * streamed / BATCHES:.1f} ms wall a step, {1e3 * trained / BATCHES:.1f} ms with batches in memory, so that "
            f"{100 * max(0.0, 1.0 - trained / streamed):.0f} % of `fit` is waiting for data; a batch is made in "
            f"{1e3 * made / BATCHES:.1f} ms; {peak() - before:.0f} MB more memory, peak {peak():.0f} MB",
        )


class Batches(keras.utils.PyDataset):
    """Batches that are there already."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def fine_tuning(folder, old="Si", new="Ge"):
    """Few structures of a new element: from a model of another one, and from scratch, with the same steps."""
    backend.enable_compilation_cache(cache_folder() / backend.backend_name())
    start = kff.ForceField(kff.potentials.NeuralIL([old], n_max=N_MAX))
    train(start, read(folder, old, "train"), FIRST_STEPS, 3e-3, adapt=True)
    tests = {symbol: read(folder, symbol, "test") for symbol in (old, new)}
    energy, forces = errors(start, tests[old])
    row(f"NeuralIL for {old}, n_max {N_MAX}, {FIRST_STEPS} steps: test MAE of {old}", f"{energy:.2f} meV/atom, {forces:.1f} meV/Å")
    for count in COUNTS:
        found = {}
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            structures, some = (chosen(read(folder, symbol, "train"), n, rng) for symbol, n in ((new, count), (old, REPLAY)))
            scratch = kff.ForceField(kff.potentials.NeuralIL([new], n_max=N_MAX, seed=seed))
            train(scratch, structures, STEPS, 3e-3, adapt=True)
            tuned = start.with_species({new: old})
            train(tuned, structures, STEPS, 1e-3)
            replay = start.with_species({new: old})
            train(replay, [*structures, *some], STEPS, 1e-3)
            for name, model, symbol in (
                ("from scratch", scratch, new),
                (f"from {old}", tuned, new),
                (f"from {old}, with {REPLAY} of {old}", replay, new),
                (f"from {old}: what is left of {old}", tuned, old),
                (f"from {old}, with {REPLAY} of {old}: what is left of {old}", replay, old),
            ):
                found.setdefault((name, symbol), []).append(errors(model, tests[symbol]))
        for (name, symbol), values in found.items():
            mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
            row(
                f"{count} structures of {new}, {STEPS} steps, {name}: test MAE of {symbol}",
                f"{mean[0]:.2f} ± {spread[0]:.2f} meV/atom, {mean[1]:.1f} ± {spread[1]:.1f} meV/Å ({len(values)} seeds)",
            )


def chosen(structures, count, rng):
    return [structures[place] for place in rng.permutation(len(structures))[:count]]


def train(model, structures, steps, rate, adapt=False):
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1, progress=False)
    (model.adapt if adapt else model.fit_reference_energies)(data)
    epochs = max(1, steps // len(data))
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(rate, epochs * len(data))),
        loss=LOSS,
        metrics=kff.training.default_metrics(["energy_per_atom", "forces"]),
        jit_compile=True,
    )
    model.fit(data, epochs=epochs, verbose=0)


if __name__ == "__main__":
    {"streaming": streaming, "fine-tuning": fine_tuning}[sys.argv[1]](*sys.argv[2:])
