"""Spline networks on the mlearn sets: `python -m keras_ff_tools.benchmark_spline_networks SYMBOLS DATA [NEW]`.

One symbol trains a `SplineNetwork`; several, separated by commas, one `ElementNetworks` on all data. With a new symbol the
filters of the others are handed to it as they are, and its network alone is trained; then again on filters that were never trained.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.benchmark_speed import row, timed

# For one element alone, and for each of several.
STEPS, SHARED_STEPS = 8000, 4000
LEARNING_RATE = 0.003
UNITS = (32, 32)
# Radii of the filters in Å, about three shells of neighbors.
CUTOFFS = {"Li": 6.0, "Mo": 5.2, "Si": 5.2, "Ge": 5.4, "Ni": 5.0, "Cu": 5.0}
SHARED = 5.4
LOSS = {"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)}
LOSS_WEIGHTS = {"energy_per_atom": 5.0, "forces": 1.0}


def main(symbols, data, new=None):
    species = symbols.split(",")
    keras.utils.set_random_seed(0)
    kind = kff.potentials.SplineNetwork if len(species) == 1 else kff.potentials.ElementNetworks
    model = kff.ForceField(kind(species, CUTOFFS.get(symbols, SHARED), units=UNITS))
    if len(species) == 1:
        measure(f"s-NNP for {symbols}", model, data, STEPS)
        cost(symbols, model)
    elif new is None:
        measure("s-NNP, shared filters", model, data, SHARED_STEPS * len(species))
    else:
        measure(f"s-NNP, shared filters of all but {new}", model, data, SHARED_STEPS * len(species))
        untrained = kff.layers.SplineFilters(SHARED)
        for name, filters in (("shared", model.potential.filters.for_species(1)), ("untrained", untrained)):
            filters.trainable = False
            one = kff.ForceField(kff.potentials.SplineNetwork([new], filters=filters, units=UNITS))
            measure(f"s-NNP for {new}, {name} filters as they are", one, data, STEPS)


def measure(name, model, data, steps):
    """Train a model for the elements it has, and print its errors."""
    began = time.process_time()
    train(model, [atoms for symbol in model.species for atoms in read(data, symbol, "train")], steps)
    spent = time.process_time() - began
    for symbol in model.species:
        energy, forces = errors(model, read(data, symbol, "test"))
        row(f"{name}: test MAE of {symbol}", f"{energy:.2f} meV/atom, {forces:.1f} meV/Å")
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    row(f"{name}: training", f"{spent:.0f} CPU s, {trained} trained parameters")


def read(data, symbol, part):
    return kff.data.read(next(iter(sorted(Path(data).glob(f"{symbol}_{part}.xyz*")))))


def train(model, structures, steps):
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=2 * len(model.species))
    model.adapt(data)
    epochs = max(1, steps // len(data))
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(LEARNING_RATE, epochs * len(data))),
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
    """Of an ASE call, against NeuralIL of the same cutoff with its default descriptor."""
    crystal = bulk(symbol, cubic=True)
    atoms = crystal * round((2000 / len(crystal)) ** (1 / 3))
    atoms.rattle(0.1, seed=0)
    spent = {}
    for name, one in (("s-NNP", model), ("NeuralIL", kff.ForceField(kff.potentials.NeuralIL([symbol], cutoff=model.cutoff)))):
        atoms.calc = kff.Calculator(one)

        def step():
            atoms.positions += 1e-4
            atoms.get_forces()

        spent[name] = timed(step, 15)[0] / len(atoms)
    row(
        f"s-NNP for {symbol}: energy + forces through ASE, {len(atoms)} atoms, cutoff {model.cutoff} Å",
        f"{1e6 * spent['s-NNP']:.1f} CPU µs/atom, {spent['s-NNP'] / spent['NeuralIL']:.2f} of NeuralIL(n_max 6)",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
