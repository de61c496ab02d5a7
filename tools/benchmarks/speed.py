"""Speed and memory of NeuralIL, and of reading: `keras-ff benchmark speed`."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

import keras_ff as kff
from keras_ff_tools.benchmarks.measure import ase_step, batch_of, compiled, once, peak, row, timed, train

OUTPUTS = ("energy", "energy_per_atom", "forces", "stress")


def ean(data: str) -> None:
    """Energy and forces of one configuration of ethylammonium nitrate, and training steps of eight.

    Args:
        data: Folder of ean_validation.xyz.
    """
    structures = read(Path(data) / "ean_validation.xyz", ":8")
    species, size = ["C", "H", "N", "O"], {"cutoff": 3.5, "n_max": 4}
    title = "EAN, 225 atoms, cutoff 3.5 Å, n_max 4"
    training_step(f"{title}, published NeuralIL", kff.potentials.NeuralIL.published(species, **size), structures)
    training_step(f"{title}, default NeuralIL", kff.potentials.NeuralIL(species, **size), structures)


def training_step(title: str, potential: kff.potentials.Potential, structures: Sequence, repeats: int = 40) -> None:
    """Cost of energy and forces of the first structure, and of a training step of all.

    Args:
        title: What the rows begin with.
        potential: An untrained potential.
        structures: Structures with energies and forces, one batch.
        repeats: Number of timed calls; half as many training steps.
    """
    model = kff.ForceField(potential)
    function = compiled(model, batch_of(model, structures[0]), OUTPUTS)
    data = kff.data.Dataset(structures, model, batch_size=len(structures), max_shapes=1, progress=False)
    model.adapt(data)
    _, compilation = once(function)
    cpu, wall = timed(function, repeats)
    row(f"{title}: energy + forces", f"{1e3 * cpu:.1f} CPU ms, {1e3 * wall:.1f} ms wall; compiled in {compilation:.1f} s")
    _, start = once(lambda: train(model, data, epochs=1))
    batch, labels = data[0]
    cpu, wall = timed(lambda: model.train_on_batch(batch, labels), max(1, repeats // 2))
    row(
        f"{title}: training step, batch of {len(structures)}",
        f"{cpu:.3f} CPU s, {wall:.3f} s wall; first epoch of `fit` (compilation) {start:.1f} s, peak {peak():.0f} MB",
    )


def scaling(cells: Sequence[int] = (3, 6, 15, 23), n_max: int = 6, repeats: int = 20) -> None:
    """Cost per atom and memory, from 216 to 97,336 silicon atoms.

    Args:
        cells: Numbers of cubic cells of 8 atoms along each axis.
        n_max: Size of the descriptor.
        repeats: Number of timed calls; 3 for large systems.
    """
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], n_max=n_max))
    costs = []
    for count in cells:
        atoms = rattled(count)
        cpu, wall = timed(ase_step(model, atoms), repeats if count < 10 else min(repeats, 3))
        costs.append(cpu / len(atoms))
        row(
            f"Si, {len(atoms)} atoms, cutoff 5 Å, n_max {n_max}: energy + forces through ASE",
            f"{1e6 * costs[-1]:.1f} CPU µs/atom ({costs[-1] / costs[0]:.2f} of {8 * cells[0] ** 3} atoms), {wall:.4f} s wall, peak "
            f"{peak():.0f} MB",
        )


def calculator(sizes: Sequence[int] = (4, 6), cells: Sequence[int] = (3, 6), repeats: int = 100) -> None:
    """Atoms per second of wall time of an ASE call, all neighbors kept up to date.

    Args:
        sizes: Sizes of the descriptor, n_max.
        cells: Numbers of cubic cells of 8 atoms along each axis.
        repeats: Number of timed calls.
    """
    for n_max in sizes:
        model = kff.ForceField(kff.potentials.NeuralIL(["Si"], n_max=n_max))
        for count in cells:
            atoms = rattled(count)
            atoms.calc = kff.Calculator(model)
            rng = np.random.default_rng(0)

            def step(atoms=atoms, rng=rng):
                # As far as an atom moves in 1 fs at 1000 K: the list is searched again now and then.
                atoms.positions += rng.normal(scale=0.005, size=atoms.positions.shape)
                atoms.get_forces()

            cpu, wall = timed(step, repeats)
            speed = f"{len(atoms) / wall:.0f} atoms/s, {1e3 * wall:.2f} ms wall, {1e3 * cpu:.2f} CPU ms"
            row(f"ASE energy + forces, Si, {len(atoms)} atoms, cutoff 5 Å, n_max {n_max}", speed)


def reading(count: int = 500, cells: Sequence[int] = (1, 2), repeats: int = 7) -> None:
    """Cost of `keras_ff.data.read` beside that of ASE, and of a data set, for labeled silicon in extended XYZ.

    Args:
        count: Number of structures in the file.
        cells: Numbers of cubic cells of 8 atoms along each axis.
        repeats: Number of timed calls.
    """
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    for size in cells:
        atoms = rattled(size)
        atoms.calc = SinglePointCalculator(atoms, energy=-5.0, forces=atoms.positions / 3, stress=np.arange(6) / 7)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "silicon.xyz"
            write(path, [atoms] * count)
            theirs, ours = (timed(partial(one, path, ":"), repeats)[0] / count for one in (read, kff.data.read))
            structures = kff.data.read(path)
        made = timed(partial(kff.data.Dataset, structures, model, progress=False), repeats)[0] / count
        row(
            f"reading structures of {len(atoms)} atoms from extended XYZ",
            f"{1e3 * ours:.3f} CPU ms each, {ours / theirs:.2f} times as long as ASE; `Dataset`, cutoff {model.cutoff:.2f} Å: "
            f"{1e3 * made:.3f} CPU ms each",
        )


def rattled(cells: int) -> Atoms:
    """Silicon whose atoms are displaced by some 0.1 Å."""
    atoms = bulk("Si", cubic=True) * (cells, cells, cells)
    atoms.rattle(0.1, seed=1)
    return atoms
