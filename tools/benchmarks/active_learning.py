"""Active learning on silicon: `python -m keras_ff_tools.benchmark_active DATA [FOLDER]`.

The training set of mlearn is the pool, and its labels are the oracle. Structures are picked at random and by
`keras_ff.active.pick`, each with three seeds; after each round a committee is trained anew and tested on the test set of mlearn.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from ase.calculators.calculator import Calculator, all_changes

import keras_ff as kff
from keras_ff import backend
from keras_ff.active import ActiveLearning, pick
from keras_ff.data import labels
from keras_ff_tools.benchmark_speed import row
from keras_ff_tools.benchmark_spline_networks import read
from keras_ff_tools.run_folder import cache_folder

# Structures to start with and in a round, rounds of each way of picking, and seeds.
START, COUNT = 6, 6
ROUNDS = {"active": 8, "random": 14}
SEEDS = (0, 1, 2)
MEMBERS, OPTIONS = 4, {"cutoff": 5.0, "n_max": 4}
STEPS, BATCH, RATE = 600, 4, 3e-3


class Answers(Calculator):
    """The labels of the pool, found by the place in the pool."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        answer = self.pool[atoms.info["candidate"]]
        if not np.allclose(answer.positions, atoms.positions, atol=1e-6):
            raise ValueError("This is not the structure of the pool.")
        found = labels(answer)
        self.results = {name: found[name] for name in self.implemented_properties}


def ensemble(seed):
    return kff.Ensemble(kff.potentials.NeuralIL(["Si"], members=MEMBERS, seed=seed, **OPTIONS))


def trained(structures, seed, shapes):
    model = ensemble(seed)
    data = kff.data.Dataset(structures, model, batch_size=BATCH, shapes=shapes, seed=seed, progress=False)
    model.adapt(data)
    epochs = max(1, round(STEPS / len(data)))
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(RATE, epochs * len(data))),
        loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
        jit_compile=True,
    )
    model.fit(data, epochs=epochs, verbose=0)
    return model


def errors(model, structures, shapes):
    """RMSE of the energy in meV/atom, and of the forces in meV/Å."""
    data = kff.data.Dataset(structures, model, batch_size=BATCH, shapes=shapes, shuffle=False, progress=False)
    function = backend.jit(lambda batch: model(batch), layer=model)
    of_energy, of_forces = [], []
    for index in range(len(data)):
        batch, known = data[index]
        outputs = function(batch)
        for name, found in (("energy_per_atom", of_energy), ("forces", of_forces)):
            error = np.asarray(outputs[name]) - known[name]
            found.append(error[np.isfinite(error)])
    return [1e3 * float(np.sqrt(np.mean(np.concatenate(found) ** 2))) for found in (of_energy, of_forces)]


def learning_curve(way, seed, pool, test, folder):
    """Errors after each round, `[(structures, energy, forces), ...]`."""
    rng = np.random.default_rng([seed, 17])
    order = rng.permutation(len(pool))
    start = [pool[place] for place in order[:START]]
    rest = [pool[place] for place in order[START:]]
    shapes = kff.data.Dataset([*pool, *test], ensemble(0), batch_size=BATCH, max_shapes=2, progress=False).shapes

    def at_random(model, candidates, known, count, worth):
        # A function of the number of known structures alone, so that a loop that goes on is the same.
        return np.random.default_rng([seed, len(known)]).permutation(len(candidates))[:count]

    curve = []

    def train(structures, number):
        model = trained(structures, seed, shapes)
        curve.append((len(structures), *errors(model, test, shapes)))
        (folder / "curve.json").write_text(json.dumps(curve))
        print(f"  {way}, seed {seed}: {curve[-1]}", flush=True)
        return model

    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "curve.json").exists():
        curve += json.loads((folder / "curve.json").read_text())
    select = {"active": pick, "random": at_random}[way]
    ActiveLearning(Answers(rest), train, rest, start, COUNT, folder, select=select).run(ROUNDS[way])
    return curve


def main(data, folder="runs/benchmark"):
    backend.enable_compilation_cache(cache_folder() / backend.backend_name())
    pool, test = (read(data, "Si", part) for part in ("train", "test"))
    curves, folder = {way: [] for way in ROUNDS}, Path(folder) / "active_learning"
    for seed in SEEDS:
        for way, found in curves.items():
            found.append(learning_curve(way, seed, pool, test, folder / f"{way}_{seed}"))
    report({way: np.array(found) for way, found in curves.items()}, folder)


def report(curves, folder):
    title = f"Si, pool of mlearn, committee of {MEMBERS}, {STEPS} steps"
    for way, found in curves.items():
        mean, deviation = found.mean(axis=0), found.std(axis=0, ddof=1)
        for place in range(0, len(mean), 2):
            count, energy, forces = mean[place]
            row(
                f"{title}, {way}, {count:.0f} structures: test RMSE",
                f"{energy:.1f} ± {deviation[place, 1]:.1f} meV/atom, {forces:.0f} ± {deviation[place, 2]:.0f} meV/Å",
            )
    for column, quantity, unit in ((1, "energy", "meV/atom"), (2, "forces", "meV/Å")):
        active, random = (curves[way][..., column].mean(axis=0) for way in ("active", "random"))
        counts = curves["random"][0, :, 0]
        for place in range(1, len(active), 2):
            known = curves["active"][0, place, 0]
            # Where random picking first is as good.
            reached = [count for count, error in zip(counts, random) if error <= active[place]]
            saved = f"{reached[0]:.0f}: {100 * (1 - known / reached[0]):.0f} % fewer" if reached else f"more than {counts[-1]:.0f}"
            row(f"{title}, RMSE of the {quantity} of {active[place]:.1f} {unit}", f"{known:.0f} structures, at random {saved}")
    drawn = {way: (found[0, :, 0], found[..., 2]) for way, found in curves.items()}
    kff.plots.learning_by_number(drawn, "RMSE of the forces (meV/Å)").savefig(folder / "active_learning.png")
    print(f"drawn in {folder / 'active_learning.png'}")


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    main(*sys.argv[1:])
