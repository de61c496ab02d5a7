"""Spline networks on the mlearn sets: `python -m keras_ff_tools.benchmark_spline_networks SYMBOLS DATA`.

One symbol trains a `SplineNetwork`; several, separated by commas, one `ElementNetworks` on all data.
"""

import sys
import time
from pathlib import Path

import keras
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.benchmark_speed import row, timed

# Of the training of filters and network together, and of a new network on the filters found. The second kind costs a third: what
# does not depend on weights needs no derivatives.
STEPS = (1000, 5000)
RATES = (0.005, 0.003)
PAIRS, TRIPLETS, SHORTEST = 8, (4, 5), 1.5
# Radii of pair and triplet filters, about three shells of neighbors.
CUTOFFS = {"Li": (6.0, 5.2), "Mo": (5.2, 4.7), "Si": (5.2, 4.5), "Ge": (5.4, 4.7), "Ni": (5.0, 4.0), "Cu": (5.0, 4.1)}
SHARED = (5.2, 4.5)
LOSS = {"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)}
LOSS_WEIGHTS = {"energy_per_atom": 5.0, "forces": 1.0}


def main(symbols, data):
    species = symbols.split(",")
    cutoff, triplet_cutoff = CUTOFFS.get(symbols, SHARED)
    keras.utils.set_random_seed(0)
    filters = kff.layers.SplineFilters(
        cutoff, len(species), pairs=PAIRS, triplets=TRIPLETS, triplet_cutoff=triplet_cutoff, shortest=SHORTEST
    )
    kind = kff.potentials.SplineNetwork if len(species) == 1 else kff.potentials.ElementNetworks
    structures = [atoms for symbol in species for atoms in read(data, symbol, "train")]
    began = time.process_time()
    for steps, rate in zip(STEPS, RATES):
        model = kff.ForceField(kind(species, filters=filters))
        train(model, structures, steps * len(species), rate)
        filters.trainable = False
    spent = time.process_time() - began
    name = f"s-NNP for {symbols}" if len(species) == 1 else "s-NNP, shared filters"
    for symbol in species:
        energy, forces = errors(model, read(data, symbol, "test"))
        row(f"{name}: test MAE of {symbol}", f"{energy:.2f} meV/atom, {forces:.1f} meV/Å")
    row(f"{name}: training", f"{spent:.0f} CPU s, {model.count_params()} parameters")
    if len(species) == 1:
        cost(symbols, model)


def read(data, symbol, part):
    return kff.data.read(next(iter(sorted(Path(data).glob(f"{symbol}_{part}.xyz*")))))


def train(model, structures, steps, rate):
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=2 * len(model.species))
    model.adapt(data)
    epochs = max(1, steps // len(data))
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(rate, epochs * len(data))),
        loss=LOSS,
        loss_weights=LOSS_WEIGHTS,
        metrics=kff.training.default_metrics(),
        jit_compile=True,
    )
    model.fit(data, epochs=epochs, verbose=0, callbacks=[kff.training.Progress(every=max(1, epochs // 10))])


def errors(model, structures):
    """Mean absolute errors in meV/atom and meV/Å."""
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1, shuffle=False)
    found = model.evaluate(data, verbose=0, return_dict=True)
    return 1e3 * found["energy_per_atom_mae"], 1e3 * found["forces_mae"]


def cost(symbol, model):
    """Of an ASE call, against NeuralIL with its default descriptor."""
    crystal = bulk(symbol, cubic=True)
    atoms = crystal * round((1000 / len(crystal)) ** (1 / 3))
    atoms.rattle(0.1, seed=0)
    spent = {}
    for name, one in (("s-NNP", model), ("NeuralIL", kff.ForceField(kff.potentials.NeuralIL([symbol])))):
        atoms.calc = kff.Calculator(one)

        def step():
            atoms.positions += 1e-4
            atoms.get_forces()

        spent[name] = timed(step, 15)[0] / len(atoms)
    row(
        f"s-NNP for {symbol}: energy + forces through ASE, {len(atoms)} atoms",
        f"{1e6 * spent['s-NNP']:.1f} CPU µs/atom, {spent['s-NNP'] / spent['NeuralIL']:.2f} of NeuralIL(cutoff 5 Å, n_max 6)",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
