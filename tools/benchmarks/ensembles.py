"""Committees and deep ensembles on ethylammonium nitrate: `python -m keras_ff_tools.benchmark_ensembles NAME DATA [OPTION]`.

`cost` measures energies and forces of one, of ten, and of each of the ten; `committee` and `deep` train ten members at a time and
compare the spread with the errors. `extrapolation` reads Si_train.xyz and Si_test.xyz of the mlearn set.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
from ase.io import read

import keras_ff as kff
from keras_ff import backend
from keras_ff.models import correlation, extrapolation_grades, learn_extrapolation, member, miscalibration
from keras_ff_tools.benchmark_speed import measured, once, row, timed

SPECIES = ["C", "H", "N", "O"]
MEMBERS = 10
# Structures of the training part of the split that calibrate.
HELD = 10
OPTIONS = {"cutoff": 3.5, "n_max": 4}
LEARNING_RATE = 3e-3
WANTED = ("energy", "forces", "energy_std", "forces_std")


def cost(data):
    """Energies and forces of one configuration."""
    atoms = read(Path(data) / "ean_validation.xyz", 0)
    models = {
        "one member": kff.ForceField(kff.potentials.NeuralIL(SPECIES, **OPTIONS)),
        "mean of 10": kff.ForceField(kff.potentials.NeuralIL(SPECIES, members=MEMBERS, **OPTIONS)),
        "mean, and spread of the forces of 10": kff.Ensemble(kff.potentials.NeuralIL(SPECIES, members=MEMBERS, **OPTIONS)),
    }
    first = None
    for name, model in models.items():
        batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]

        def outputs(batch, model=model):
            return {key: value for key, value in model(batch).items() if key in WANTED}

        function = backend.jit(outputs, layer=model)
        _, compiled = once(measured(lambda: function(batch)))  # noqa: B023
        cpu, wall = timed(measured(lambda: function(batch)), 60)  # noqa: B023
        first = first or cpu
        row(
            f"EAN, 225 atoms, cutoff 3.5 Å, n_max 4, energy + forces: {name}",
            f"{1e3 * cpu:.1f} CPU ms, {1e3 * wall:.1f} ms wall, {cpu / first:.2f} of one; compiled in {compiled:.1f} s",
        )


def accuracy(name, data, minutes="9"):
    """Ten members on the frozen split: 50 structures of its training part to train, the other 10 to calibrate, all 15 to test."""
    structures = read(Path(data) / "ean_validation.xyz", ":")
    places = json.loads((Path(data) / "ean_split_60_15.json").read_text())
    order = np.random.default_rng(0).permutation(places["train"])
    train, known, test = ([structures[index] for index in part] for part in (order[HELD:], order[:HELD], places["test"]))
    deep = name == "deep"
    model = kff.Ensemble(kff.potentials.NeuralIL(SPECIES, members=MEMBERS, learned_noise=deep, **OPTIONS), bootstrap=0)
    data = kff.data.Dataset(train, model, batch_size=4, max_shapes=1)
    model.adapt(data)
    epochs = fit(model, data, deep, float(minutes))
    title = f"EAN, {'deep ensemble' if deep else 'committee'} of {MEMBERS}, {minutes} min of training"
    known, test = (kff.data.Dataset(some, model, batch_size=5, shuffle=False, max_shapes=1) for some in (known, test))
    mean = forces_error(model, test)
    alone = np.mean([forces_error(member(model, index), test) for index in range(MEMBERS)])
    row(
        f"{title}, {epochs} epochs: test MAE of the forces",
        f"mean {1e3 * mean:.1f}, mean member {1e3 * alone:.1f} meV/Å: {100 * (1 - mean / alone):.1f} % less",
    )
    pairs = {name: pair for name, pair in model.spread_and_error(test).items() if name.startswith("forces of")}
    for kind in (None, kff.models.Scaling, kff.models.Isotonic):
        if kind:
            model.calibrate(known, kind)
        spreads = [model.calibrated(name, spread) if kind else spread for name, (spread, _) in pairs.items()]
        spread, error = np.concatenate(spreads), np.concatenate([error for _, error in pairs.values()])
        row(
            f"{title}, spread of the forces {f'with {kind.__name__} of each element' if kind else 'as it is'}",
            f"correlation with the error {correlation(spread, error):.3f}, mean deviation on the reliability diagram "
            f"{100 * miscalibration(spread, error):.1f} %",
        )


def fit(model, data, deep, minutes):
    """Train for so many minutes, compilation not counted; returns the number of epochs."""
    loss = (kff.losses.GaussianNLL(),) * 2 if deep else (kff.losses.LogCosh(100.0), kff.losses.LogCosh(10.0))

    def compiled(rate):
        model.compile(optimizer=keras.optimizers.Adam(rate), loss=dict(zip(("energy_per_atom", "forces"), loss)))

    compiled(1e-5)
    for _ in range(2):
        began = time.perf_counter()
        model.fit(data, epochs=1, verbose=0)
    epochs = max(1, int(60 * minutes / (time.perf_counter() - began)))
    compiled(kff.training.one_cycle(LEARNING_RATE, epochs * len(data)))
    model.fit(data, epochs=epochs, verbose=0)
    return epochs


def forces_error(model, data):
    """Mean absolute error in eV/Å."""
    labels = np.array([atoms.get_forces() for atoms in data.structures])
    return np.mean(np.abs(model.predict(data, verbose=0)["forces"][:, : labels.shape[1]] - labels))


def extrapolation(data, folder="runs/benchmark"):
    """A model of cool silicon meets its like, and hot, compressed and surface structures."""
    sets = silicon(Path(data))
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], n_max=4))
    learn_extrapolation(model, kff.data.Dataset(sets.pop("training"), model, batch_size=8, max_shapes=2))
    function = extrapolation_grades(model)
    grades = {}
    for name, structures in sets.items():
        batches = kff.data.Dataset(structures, model, batch_size=8, max_shapes=2, shuffle=False)
        grades[name] = np.concatenate(
            [
                np.asarray(function(batches[index][0])["distance"]).max(axis=1)[batches.members(index) >= 0]
                for index in range(len(batches))
            ]
        )
    inside = grades.pop("like the training set")
    row("Si, distance of descriptors, structures like the training set", f"{100 * np.mean(inside > 1):.0f} % above the threshold")
    for name, found in grades.items():
        above, area = 100 * np.mean(found > 1), np.mean(found[:, None] > inside)
        row(
            f"Si, distance of descriptors, {len(found)} structures, {name}",
            f"{above:.0f} % above the threshold; area under the ROC curve {area:.3f}",
        )
    path = Path(folder) / "extrapolation.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    kff.plots.roc(inside, grades, "Silicon beyond the training set").savefig(path)
    print(f"drawn in {path}")


def silicon(folder):
    """Structures of the mlearn set, told apart by their energy: some temperatures in the files are not those of the structures."""
    structures = [atoms for part in ("train", "test") for atoms in read(folder / f"Si_{part}.xyz", ":")]
    surfaces = [atoms for atoms in structures if atoms.info["group"] == "Surface"]
    others = [atoms for atoms in structures if atoms.info["group"] != "Surface"]
    energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in others])
    order = np.random.default_rng(0).permutation(len(others))
    cool = [others[index] for index in order if energies[index] < -5.3]
    part = 2 * len(cool) // 3
    compressed = [atoms.copy() for atoms in cool[part : part + 15]]
    for atoms in compressed:
        atoms.set_cell(0.93 * atoms.cell, scale_atoms=True)
    return {
        "training": cool[:part],
        "like the training set": cool[part:],
        "hot (above -4.8 eV/atom)": [others[index] for index in order if energies[index] > -4.8],
        "surfaces": surfaces,
        "compressed by 7 % along all directions": compressed,
    }


def main(name, data, *options):
    if name in ("committee", "deep"):
        accuracy(name, data, *options)
    elif name == "cost":
        cost(data)
    else:
        extrapolation(data, *options)


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    main(*sys.argv[1:])
