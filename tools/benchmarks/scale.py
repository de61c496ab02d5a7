"""Streaming from disk, and fine-tuning: `keras-ff benchmark scale`."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff.data.neighbors import neighbor_list
from keras_ff_tools.benchmarks.measure import epochs_of, errors, mlearn, peak, row, train

# Streaming: radius in Å, number of structures in a batch, and bytes of neighbor lists that may be kept.
CUTOFF = 4.0
BATCH = 8
KEPT = 32e6

# Fine-tuning: numbers of structures of the new element, and seeds that choose them.
COUNTS = (10, 25)
SEEDS = (0, 1, 2)
# Structures of the old element among those of the new.
REPLAY = 25


def synthetic(count: int, seed: int = 0) -> Iterator[Atoms]:
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
        gradients = (3.0 * (stretch - stretch**2) / r)[:, None] * vectors
        forces = np.stack([np.bincount(i, gradients[:, axis], minlength=len(atoms)) for axis in range(3)], axis=1)
        atoms.calc = SinglePointCalculator(atoms, energy=0.5 * np.sum(stretch**2 - 2.0 * stretch), forces=forces)
        yield atoms


def streaming(count: int = 100_000, n_max: int = 4, batches: int = 200, max_shapes: int = 2) -> None:
    """A data set in a file: memory, and the fraction of `fit` that is not training steps.

    Args:
        count: Number of structures.
        n_max: Size of the descriptor.
        batches: Number of batches that are timed.
        max_shapes: Number of padded shapes.
    """
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], cutoff=CUTOFF, n_max=n_max))
    with tempfile.TemporaryDirectory() as folder:
        path, before, began = Path(folder) / "structures.h5", peak(), time.perf_counter()
        kff.data.write_cache(synthetic(count), path, CUTOFF)
        row(
            f"{count} structures of 8 and 16 atoms written one by one",
            f"{1e3 * (time.perf_counter() - began) / count:.2f} ms each, labels included; {path.stat().st_size / 2**20:.0f} MiB on "
            f"disk, {peak() - before:.0f} MB more memory",
        )
        before, began = peak(), time.perf_counter()
        data = kff.data.Dataset(path, model, batch_size=BATCH, max_shapes=max_shapes, max_memory=KEPT)
        row(
            f"Dataset of {count} structures in a file",
            f"opened in {time.perf_counter() - began:.2f} s, {peak() - before:.0f} MB more memory",
        )
        began = time.perf_counter()
        model.adapt(kff.data.Dataset(data.structures[:1000], model, batch_size=BATCH, shapes=data.shapes))
        first = Batches([data[number] for number in range(min(20, batches))])
        train(model, first, epochs=1, rate=1e-3)
        before, began = peak(), time.perf_counter()
        model.fit(data, steps_per_epoch=batches, verbose=0)
        streamed = time.perf_counter() - began
        began = time.perf_counter()
        kept = Batches([data[number] for number in range(batches)])
        made = time.perf_counter() - began
        model.fit(kept, verbose=0, shuffle=False)
        began = time.perf_counter()
        model.fit(kept, verbose=0, shuffle=False)
        trained = time.perf_counter() - began
        row(
            f"training from the file, batches of {BATCH}, NeuralIL n_max {n_max}",
            f"{1e3 * streamed / batches:.1f} ms wall a step, {1e3 * trained / batches:.1f} ms with batches in memory, so that "
            f"{100 * max(0.0, 1.0 - trained / streamed):.0f} % of `fit` is waiting for data; a batch is made in "
            f"{1e3 * made / batches:.1f} ms; {peak() - before:.0f} MB more memory, peak {peak():.0f} MB",
        )


class Batches(keras.utils.PyDataset):
    """Batches that are there already."""

    def __init__(self, batches: Sequence):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def fine_tuning(
    data: str,
    old: str = "Si",
    new: str = "Ge",
    n_max: int = 4,
    counts: Sequence[int] = COUNTS,
    seeds: Sequence[int] = SEEDS,
    first_steps: int = 2000,
    steps: int = 400,
) -> None:
    """Few structures of a new element: from a model of another one, and from scratch, with the same steps.

    Args:
        data: Folder of the mlearn set.
        old: The element that is known.
        new: The new one.
        n_max: Size of the descriptor.
        counts: Numbers of structures of the new element.
        seeds: Seeds that choose the structures.
        first_steps: Number of training steps of the model of the old element.
        steps: Number of training steps of the others.
    """
    known, tests = ({symbol: mlearn(data, symbol, part) for symbol in (old, new)} for part in ("train", "test"))
    start = from_scratch(old, known[old], first_steps, n_max, seed=0)
    energy, forces = errors(start, tests[old])
    row(f"NeuralIL for {old}, n_max {n_max}, {first_steps} steps: test MAE of {old}", f"{energy:.2f} meV/atom, {forces:.1f} meV/Å")
    for count in counts:
        results = {}
        for seed in seeds:
            rng = np.random.default_rng(seed)
            structures, some = (chosen(known[symbol], n, rng) for symbol, n in ((new, count), (old, REPLAY)))
            scratch = from_scratch(new, structures, steps, n_max, seed)
            tuned, replay = (tuned_to(start, {new: old}, more, steps) for more in (structures, [*structures, *some]))
            for name, model, symbol in (
                ("from scratch", scratch, new),
                (f"from {old}", tuned, new),
                (f"from {old}, with {REPLAY} of {old}", replay, new),
                (f"from {old}: what is left of {old}", tuned, old),
                (f"from {old}, with {REPLAY} of {old}: what is left of {old}", replay, old),
            ):
                results.setdefault((name, symbol), []).append(errors(model, tests[symbol]))
        for (name, symbol), values in results.items():
            mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
            row(
                f"{count} structures of {new}, {steps} steps, {name}: test MAE of {symbol}",
                f"{mean[0]:.2f} ± {spread[0]:.2f} meV/atom, {mean[1]:.1f} ± {spread[1]:.1f} meV/Å ({len(values)} seeds)",
            )


def chosen(structures: Sequence[Atoms], count: int, rng: np.random.Generator) -> list[Atoms]:
    """So many of the structures, at random."""
    return [structures[index] for index in rng.permutation(len(structures))[:count]]


def from_scratch(symbol: str, structures: Sequence[Atoms], steps: int, n_max: int, seed: int) -> kff.ForceField:
    """A new model of one element, trained."""
    model = kff.ForceField(kff.potentials.NeuralIL([symbol], n_max=n_max, seed=seed))
    data = in_batches(model, structures)
    model.adapt(data)
    train(model, data, epochs_of(steps, data))
    return model


def tuned_to(start: kff.ForceField, twins: dict[str, str], structures: Sequence[Atoms], steps: int) -> kff.ForceField:
    """A copy of a model that knows more elements, trained on structures with these."""
    model = start.with_species(twins)
    data = in_batches(model, structures)
    model.fit_reference_energies(data)
    train(model, data, epochs_of(steps, data), rate=1e-3)
    return model


def in_batches(model: kff.ForceField, structures: Sequence[Atoms]) -> kff.data.Dataset:
    """Batches of four of one shape."""
    return kff.data.Dataset(structures, model, batch_size=4, max_shapes=1, progress=False)
