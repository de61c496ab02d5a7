"""Committees and deep ensembles on ethylammonium nitrate: `keras-ff benchmark ensembles`."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read

import keras_ff as kff
from keras_ff.models import correlation, member, miscalibration
from keras_ff_tools.benchmarks.measure import batch_of, compiled, once, row, timed, train

SPECIES = ["C", "H", "N", "O"]
MEMBERS = 10
# Number of structures of the training set of the split that calibrate.
HELD = 10
OPTIONS = {"cutoff": 3.5, "n_max": 4}
WANTED = ("energy", "forces", "energy_std", "forces_std")


def cost(data: str, members: int = MEMBERS, options: Mapping = OPTIONS, repeats: int = 60) -> None:
    """Energies and forces of one configuration: by one member, by ten, and by each of the ten.

    Args:
        data: Folder of ean_validation.xyz.
        members: Number of members.
        options: Options of NeuralIL.
        repeats: Number of timed calls.
    """
    atoms = read(Path(data) / "ean_validation.xyz", 0)

    def potential(members=None):
        return kff.potentials.NeuralIL(SPECIES, members=members, **options)

    models = {
        "one member": kff.ForceField(potential()),
        f"mean of {members}": kff.ForceField(potential(members)),
        f"mean, and spread of the forces of {members}": kff.Ensemble(potential(members)),
    }
    first = None
    for name, model in models.items():
        function = compiled(model, batch_of(model, atoms), WANTED)
        _, compilation = once(function)
        cpu, wall = timed(function, repeats)
        first = first or cpu
        row(
            f"EAN, {len(atoms)} atoms, cutoff 3.5 Å, n_max 4, energy + forces: {name}",
            f"{1e3 * cpu:.1f} CPU ms, {1e3 * wall:.1f} ms wall, {cpu / first:.2f} of one; compiled in {compilation:.1f} s",
        )


def committee(data: str, minutes: float = 9.0, **options: Any) -> None:
    """Ten members that differ by their initial weights and by samples of the data; see `accuracy` for the arguments."""
    accuracy("committee", data, minutes, loss=None, **options)


def deep(data: str, minutes: float = 9.0, **options: Any) -> None:
    """Ten members that learn the variances of their errors too; see `accuracy` for the arguments."""
    likelihood = {name: kff.losses.GaussianNLL() for name in ("energy_per_atom", "forces")}
    accuracy("deep ensemble", data, minutes, loss=likelihood, **options)


def accuracy(
    name: str,
    data: str,
    minutes: float,
    loss: Mapping | None,
    members: int = MEMBERS,
    options: Mapping = OPTIONS,
    held: int = HELD,
    calibrations: Sequence[type] = (kff.models.Scaling, kff.models.Isotonic),
) -> None:
    """Errors and their prediction on the frozen split: 50 structures train, 10 calibrate, 15 test.

    Args:
        name: Kind of the ensemble.
        data: Folder of ean_validation.xyz and ean_split_60_15.json.
        minutes: Wall time of the training.
        loss: Loss of each output, that of variances for a deep ensemble; by default that of a committee.
        members: Number of members.
        options: Options of NeuralIL.
        held: Number of structures of the training set that calibrate.
        calibrations: Kinds of calibration that are compared.
    """
    structures = read(Path(data) / "ean_validation.xyz", ":")
    indices = json.loads((Path(data) / "ean_split_60_15.json").read_text())
    order = np.random.default_rng(0).permutation(indices["train"])
    learned, known, test = ([structures[index] for index in some] for some in (order[held:], order[:held], indices["test"]))
    potential = kff.potentials.NeuralIL(SPECIES, members=members, learned_noise=loss is not None, **options)
    model = kff.Ensemble(potential, bootstrap=0)
    data = kff.data.Dataset(learned, model, batch_size=4, max_shapes=1, progress=False)
    model.adapt(data)
    epochs = fit(model, data, minutes, loss)
    title = f"EAN, {name} of {members}, {minutes} min of training"
    known, test = (kff.data.Dataset(some, model, batch_size=5, max_shapes=1, progress=False) for some in (known, test))
    mean = forces_error(model, test)
    alone = np.mean([forces_error(member(model, index), test) for index in range(members)])
    row(
        f"{title}, {epochs} epochs: test MAE of the forces",
        f"mean {1e3 * mean:.1f}, mean member {1e3 * alone:.1f} meV/Å: {100 * (1 - mean / alone):.1f} % less",
    )
    pairs = {name: pair for name, pair in model.spread_and_error(test).items() if name.startswith("forces of")}
    for kind in (None, *calibrations):
        if kind:
            model.calibrate(known, kind)
        spreads = [model.calibrated(name, spread) if kind else spread for name, (spread, _) in pairs.items()]
        spread, error = np.concatenate(spreads), np.concatenate([error for _, error in pairs.values()])
        row(
            f"{title}, spread of the forces {f'with {kind.__name__} of each element' if kind else 'as it is'}",
            f"correlation with the error {correlation(spread, error):.3f}, mean deviation on the reliability diagram "
            f"{100 * miscalibration(spread, error):.1f} %",
        )


def fit(model: kff.Ensemble, data: kff.data.Dataset, minutes: float, loss: Mapping | None) -> int:
    """Train for so many minutes, compilation not counted; returns the number of epochs."""
    train(model, data, 1, 1e-5, loss)
    began = time.perf_counter()
    model.fit(data, epochs=1, verbose=0)
    epochs = max(1, int(60 * minutes / (time.perf_counter() - began)))
    train(model, data, epochs, loss=loss)
    return epochs


def forces_error(model: kff.ForceField, data: kff.data.Dataset) -> float:
    """Mean absolute error of the forces in eV/Å."""
    forces = model.predict(data, verbose=0)["forces"]
    return float(np.mean([np.mean(np.abs(own[: len(atoms)] - atoms.get_forces())) for own, atoms in zip(forces, data.structures)]))
