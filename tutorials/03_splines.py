# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From splines to networks: where does a classical form stop?
#
# The modified embedded-atom method with cubic splines (s-MEAM) is a potential one can read: five curves say how the atoms of an
# element interact. A spline network (s-NNP) keeps such curves as filters, has more of them, and lets a network combine what they
# find. We climb this ladder for silicon and for molybdenum, on the data of density functional theory (DFT), and ask at each rung
# what it costs and what it brings. Then we look at what the filters have learned, and let both elements share them. All of it takes
# a quarter of an hour.

# %%
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow": what follows is the same

import keras
import numpy as np

import keras_ff as kff
from keras_ff import plots
from keras_ff.layers import SplineFilters
from keras_ff.potentials import ElementNetworks, PairSpline, SplineMEAM, SplineNetwork, Sum

HERE = Path(__file__).parent if "__file__" in globals() else Path(".")

data = {symbol: [kff.data.read(HERE / "data" / f"{symbol}_{part}.xyz.gz") for part in ("train", "test")] for symbol in ("Si", "Mo")}
ladder = {"Si": {}, "Mo": {}}


def batches(symbols, model):
    structures = [atoms for symbol in symbols for atoms in data[symbol][0]]
    return kff.data.Dataset(structures, model, batch_size=4, max_shapes=2 * len(symbols))


def train(model, symbols, learning_rate, steps):
    structures = batches(symbols, model)
    epochs = steps // len(structures)
    compile_with(model, kff.training.one_cycle(learning_rate, epochs * len(structures)))
    model.fit(structures, epochs=epochs, verbose=0)


def compile_with(model, learning_rate):
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
        loss_weights={"energy_per_atom": 5.0, "forces": 1.0},
        metrics=kff.training.default_metrics(),
        jit_compile=True,
    )


def test_errors(symbol, model):
    """Mean absolute errors in meV/atom and meV/Å."""
    test = kff.data.Dataset(data[symbol][1], model, batch_size=4, max_shapes=1, shuffle=False)
    errors = model.evaluate(test, verbose=0, return_dict=True)
    return 1000 * errors["energy_per_atom_mae"], 1000 * errors["forces_mae"]


def time_per_atom(symbol, model):
    """CPU microseconds of energy and forces through ASE."""
    atoms = data[symbol][0][0].repeat(2)
    atoms.calc = kff.Calculator(model)
    spent = []
    for _ in range(15):
        atoms.positions += 1e-4
        begun = time.process_time()
        atoms.get_forces()
        spent.append(time.process_time() - begun)
    return 1e6 * np.median(spent[5:]) / len(atoms)


def climb(symbol, name, model, learning_rate=None, steps=1000):
    """Train if there is a learning rate; note parameters, time per atom, and errors on the test set."""
    if learning_rate:
        train(model, [symbol], learning_rate, steps)
    else:
        compile_with(model, 1e-3)
    energy, forces = test_errors(symbol, model)
    microseconds = time_per_atom(symbol, model)
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    ladder[symbol][name] = (parameters, microseconds, forces)
    print(f"{symbol} {name:20} {energy:6.1f} meV/atom {forces:6.0f} meV/Å {parameters:5d} parameters {microseconds:5.0f} µs/atom")
    return model


# %% [markdown]
# ## s-MEAM: published, and trained
# `from_lammps` reads the published silicon potential of Du et al. as it is, and we move its zero of energy to that of DFT.
# `untrained` makes functions to begin with where nothing is published. Its pair function enters energies and forces linearly, so
# that least squares finds a good start for it at once; Adam does the rest, for all values at the knots of all five functions.

# %%
published = kff.ForceField(SplineMEAM.from_lammps(HERE / "data" / "Si_2.meam.spline", "Si"))
published.fit_reference_energies(batches(["Si"], published))
climb("Si", "s-MEAM, published", published)


def trained_meam(symbol, cutoff, triplet_cutoff):
    model = kff.ForceField(SplineMEAM.untrained(symbol, cutoff, triplet_cutoff))
    model.reference_energies.trainable = True
    phi = model.potential.functions[f"phi {symbol}-{symbol}"]
    kff.models.fit_linear(model, kff.data.Dataset(data[symbol][0][::6], model, batch_size=4, max_shapes=2), [phi.values], verbose=0)
    return climb(symbol, "s-MEAM", model, learning_rate=0.02)


CUTOFFS = {"Si": (5.0, 4.0), "Mo": (5.2, 4.4)}
meam = {symbol: trained_meam(symbol, *CUTOFFS[symbol]) for symbol in data}

assert ladder["Si"]["s-MEAM"][-1] < ladder["Si"]["s-MEAM, published"][-1]

# %% [markdown]
# The trained functions go back to LAMMPS with `to_lammps`. What a spline does outside its knots is no result of the training, so it
# is good to know how often the data ask for that:

# %%
meam["Mo"].potential.to_lammps(HERE / "Mo.meam.spline")
for name, domain in kff.models.spline_domains(meam["Mo"], batches(["Mo"], meam["Mo"])).items():
    print(f"{name:10} knots {domain.first:5.2f} .. {domain.last:5.2f}   data {domain.smallest:5.2f} .. {domain.largest:5.2f}")

# %% [markdown]
# ## More filters, and networks
# `SplineFilters` are several functions rho of the distance, and several triplet filters f f g, that end smoothly at their cutoffs.
# The functions g of the angle are polynomials here: what 13 curves make 147 features of then takes less time than the one triplet
# function of s-MEAM, which visits every pair of neighbors.
# With a linear embedding (`units=()`) the energy is a weighted sum of what they find: still a classical form. Its weights are a
# least-squares problem, solved on a sixth of the data in closed form; afterwards everything is trained. With hidden layers the
# energy becomes a function of the filters.


# %%
def spline_network(symbol, units):
    filters = SplineFilters(cutoff=5.2, pairs=8, triplets=(6, 7))
    model = kff.ForceField(Sum([SplineNetwork([symbol], filters=filters, units=units), PairSpline([symbol], 5.2, shortest=1.5)]))
    model.adapt(batches([symbol], model))
    return model


def least_squares(symbol, model):
    network, pair = model.potential.parts
    some = kff.data.Dataset(data[symbol][0][::6], model, batch_size=4, max_shapes=2)
    kff.models.fit_linear(model, some, [network.network.linear.kernel, pair.phi.values], verbose=0)
    return model


largest, before = {}, {}
for symbol in data:
    linear = least_squares(symbol, spline_network(symbol, ()))
    climb(symbol, "linear, least squares", linear)
    climb(symbol, "linear, trained", linear, learning_rate=0.003)
    for units in ((4,), (16, 16), (48, 48)):
        model = spline_network(symbol, units)
        before[symbol] = model.potential.parts[0].filters.curves()
        name = f"network {'-'.join(map(str, units))}"
        largest[symbol] = climb(symbol, name, model, learning_rate=0.003)

# %%
COSTS = ["parameters", "CPU time (µs/atom)"]
plots.tradeoff(ladder["Si"], COSTS, title="Silicon")

# %%
plots.tradeoff(ladder["Mo"], COSTS, title="Molybdenum")

# %% [markdown]
# Five trained curves go a long way: on forces they beat the published potential by a quarter. More filters in a weighted sum, still
# a classical form, take almost half of what is left. For silicon they cost less time than s-MEAM, for molybdenum half more: 13
# curves that share moments of the neighbor density are about as fast as one triplet function over all pairs of neighbors. A network
# on the same filters costs no time worth mentioning. A narrow one brings nothing here; the widest lowers the force error by a fifth
# (silicon) or a tenth (molybdenum). So a classical form stops where its filters end, not where its embedding is linear. All rungs
# have the same short training of 1000 steps; longer ones lower the upper rungs further (BENCHMARKS.md).

# %%
for rungs in ladder.values():
    errors = {name: error for name, (*_, error) in rungs.items()}
    assert errors["network 16-16"] < errors["linear, trained"] < errors["s-MEAM"]
    times = {name: microseconds for name, (_, microseconds, _) in rungs.items()}
    assert times["network 48-48"] < 1.5 * times["linear, trained"]

# %% [markdown]
# ## What has it learned to look at?
# The filters of the largest network for molybdenum before training: bumps at equal distances, Legendre polynomials of the cosine.
# In gray, how often the data have each distance.

# %%
distances = np.concatenate([atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)] for atoms in data["Mo"][0][::10]])
distances = distances[distances < 5.2]
plots.filters(before["Mo"], distances, "Molybdenum, before training")

# %%
network = largest["Mo"].potential.parts[0]
plots.filters(network.filters.curves(), distances, "Molybdenum, after training")

# %% [markdown]
# Training has hardly moved them: as they begin, they tell environments apart, and the network does the rest. What it sees of an
# atom are all filters. Here they are for atoms of the test set, in the plane of their two main components.

# %%
tested = kff.data.Dataset(data["Mo"][1], largest["Mo"], batch_size=4, shuffle=False)
groups = np.concatenate([[atoms.info["group"]] * len(atoms) for atoms in data["Mo"][1]])
plots.projection(np.concatenate(largest["Mo"].describe(tested)), groups)

# %% [markdown]
# ## One set of filters for both
# The curves above do not know that they are about molybdenum. `ElementNetworks` trains one set of filters on the data of several
# materials, with a network for each element, in the same time as separate models.

# %%
shared = kff.ForceField(ElementNetworks(["Si", "Mo"], cutoff=5.2, units=(16, 16)))
shared.adapt(batches(["Si", "Mo"], shared))
train(shared, ["Si", "Mo"], learning_rate=0.003, steps=2000)
together = {symbol: test_errors(symbol, shared)[1] for symbol in shared.species}
for symbol, forces in together.items():
    print(f"{symbol}: {forces:.0f} meV/Å on shared filters, {ladder[symbol]['network 16-16'][-1]:.0f} on its own")

# %% [markdown]
# In this common description the environments of both elements are points of one map: crystals far apart, hot and liquid ones close
# to each other.

# %%
environments, elements = [], []
for symbol in shared.species:
    tested = kff.data.Dataset(data[symbol][1], shared, batch_size=4, shuffle=False)
    environments += shared.describe(tested)
    elements += [symbol] * sum(len(atoms) for atoms in data[symbol][1])
plots.projection(np.concatenate(environments), elements)

# %%
for symbol, forces in together.items():
    assert forces < 1.3 * ladder[symbol]["network 16-16"][-1]
