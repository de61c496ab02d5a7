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
# # How sure is it?
#
# A network answers any question, also those that it knows nothing about. A committee of networks knows more: where its members
# disagree, they are wrong. Here a committee learns ethylammonium nitrate, an ionic liquid, from structures near their minima
# alone. We ask how large its errors are, whether it notices that a hot liquid is something else, and then let it choose the
# structures that it wants to see. It takes about seven minutes.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow": what follows is the same

import keras
import numpy as np
from ase import units
from ase.md.langevin import Langevin

import keras_ff as kff
from keras_ff.active import adversarial, pick, scores, uncertainty
from keras_ff.interfaces.watch import Watch
from keras_ff.models import correlation, extrapolation_grades, learn_extrapolation, member, miscalibration, reliability

SPECIES = ["C", "H", "N", "O"]

# %% [markdown]
# ## Data
# 75 structures of 225 atoms with energies and forces of density functional theory. 44 are relaxed, or nearly so; 31 are from hot
# molecular dynamics. The committee will see relaxed ones. The hot ones are a pool from which it may ask for labels later, and a
# second test set.

# %%
structures = kff.data.read("data/EAN.xyz.gz")
order = np.random.default_rng(0).permutation(len(structures))
relaxed, hot = ([structures[place] for place in order if structures[place].info["kind"] == kind] for kind in ("relaxed", "md"))
train, validation, test = relaxed[:28], relaxed[28:36], relaxed[36:]
pool, hot_test = hot[:20], hot[20:]
print(f"relaxed: {len(train)} to train, {len(validation)} to calibrate, {len(test)} to test")
print(f"hot: {len(pool)} in the pool, {len(hot_test)} to test")

# %% [markdown]
# ## A committee
# `members=5` makes five networks on the same descriptors. One `fit` trains them all, each on its own loss and, with `bootstrap`, on
# its own sample of the structures.


# %%
def trained(structures, epochs=50):
    model = kff.Ensemble(kff.potentials.NeuralIL(SPECIES, cutoff=3.5, n_max=4, members=5), bootstrap=0)
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1)
    model.adapt(data)
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(3e-3, epochs * len(data))),
        loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
    )
    model.fit(data, epochs=epochs, verbose=0)
    learn_extrapolation(model, data)
    return model


def dataset(structures, model):
    return kff.data.Dataset(structures, model, batch_size=4, shuffle=False, max_shapes=1)


def forces_mae(model, structures):
    """Mean absolute error of the forces in meV/Å."""
    data = dataset(structures, model)
    model.compile(loss={"forces": "mae"}, metrics=kff.training.default_metrics(["forces"]))
    return 1e3 * model.evaluate(data, verbose=0, return_dict=True)["forces_mae"]


model = trained(train)
of_mean, of_hot = forces_mae(model, test), forces_mae(model, hot_test)
of_member = np.mean([forces_mae(member(model, place), test) for place in range(5)])
print(
    f"forces of the relaxed test structures: mean {of_mean:.0f}, a member alone {of_member:.0f} meV/Å; of the hot ones {of_hot:.0f}"
)
assert of_mean < 0.95 * of_member and of_hot > 2 * of_mean

# %% [markdown]
# The mean is better than its members, at little more than the cost of one. On the hot structures it is several times worse. Could
# we have known?
#
# ## Calibration
# Members that learn from the same data make errors in common, so that their disagreement is too small. Structures that were held
# back tell which error to expect at which disagreement.

# %%
pairs = {name: pair for name, pair in model.spread_and_error(dataset(test, model)).items() if name.startswith("forces of")}
model.calibrate(dataset(validation, model))
spread, error = (np.concatenate([pair[place] for pair in pairs.values()]) for place in (0, 1))
expected = np.concatenate([model.calibrated(name, pair[0]) for name, pair in pairs.items()])
for name, values in (("as it is", spread), ("calibrated", expected)):
    deviation = 100 * miscalibration(values, error)
    print(f"spread {name}: correlation with the error {correlation(values, error):.2f}, mean deviation {deviation:.0f} %")
assert correlation(expected, error) > 0.5 and miscalibration(expected, error) < 0.2
kff.plots.reliability_diagram({"as it is": reliability(spread, error), "calibrated": reliability(expected, error)})

# %% [markdown]
# Points on the diagonal: an error of 0.1 eV/Å is announced, and 0.1 eV/Å it is, on structures that neither training nor calibration
# have seen.
#
# ## What it has not seen
# `learn_extrapolation` has looked at the descriptors of the training set, and at the spreads. The grade of an atom is its distance
# from them, or its spread, over what 99 % of the training structures stay below. New relaxed structures and hot ones ("hot" begins
# where the root mean square of the forces is 0.4 eV/Å, so that the mildest are not far from relaxed):


# %%
def grades(model, structures):
    """Grades of all atoms, `(structures, atoms)`, of each kind."""
    function, data = extrapolation_grades(model), dataset(structures, model)
    batches = [function(data[index][0]) for index in range(len(data))]
    order = np.concatenate([data.indices(index) for index in range(len(data))])
    # The last batch may have empty structures, with the index -1; all structures here have as many atoms.
    rows = [int(np.flatnonzero(order == index)[0]) for index in range(len(structures))]
    return {name: np.concatenate([batch[name] for batch in batches])[rows, : len(structures[0])] for name in batches[0]}


of_test, of_all_hot = grades(model, test), grades(model, hot)
inside, outside = ({name: values.max(axis=1) for name, values in found.items()} for found in (of_test, of_all_hot))
for name in inside:
    print(f"{name}: median {np.median(inside[name]):.2f} of relaxed, {np.median(outside[name]):.2f} of hot structures")
most = {name: np.sort(grade)[-2] for name, grade in inside.items()}
assert all(np.mean(outside[name] > most[name]) > 0.9 for name in most)

# %% [markdown]
# One of the eight relaxed structures has grades like those of the hot ones. Is it a false alarm?

# %%
energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in test])
odd = int(np.argmax(inside["distance"]))
print(f"its energy is {1e3 * (energies[odd] - np.median(energies)):.0f} meV/atom above that of the others, which differ by a few")
assert odd == np.argmax(inside["spread"]) == np.argmax(energies) and energies[odd] - np.median(energies) > 0.03

# %% [markdown]
# It is none: that structure is not at a minimum.
#
# ## Does a grade find the wrong forces?
# Grades belong to atoms, and so do errors. 39 structures that the committee has not seen have 8,775 atoms; we call the forces on
# an atom wrong where they are off by more than 0.5 eV/Å. For each threshold of a grade, the curve shows how many of the wrong atoms
# are above it, over how many of the right ones are: a perfect grade goes through the upper left corner, a useless one along the
# diagonal.

# %%
unseen = [*test, *hot]
of_unseen = {name: np.concatenate([of_test[name], of_all_hot[name]]) for name in of_test}
reference = np.array([atoms.get_forces() for atoms in unseen])
predicted = model.predict(unseen, verbose=0)["forces"][:, : reference.shape[1]]
wrong = np.linalg.norm(predicted - reference, axis=-1) > 0.5
print(f"{wrong.sum()} of {wrong.size} atoms have wrong forces")
kff.plots.roc(
    {name: values[~wrong] for name, values in of_unseen.items()},
    {name: values[wrong] for name, values in of_unseen.items()},
    "Which atoms have wrong forces?",
    ("atoms with right forces", "atoms with wrong forces"),
)

# %%
for name, values in of_unseen.items():
    found, false = (100 * np.mean(values[which] > 1) for which in (wrong, ~wrong))
    print(f"{name} above 1: {found:.0f} % of the atoms with wrong forces, {false:.0f} % of the others")
    assert found > false

# %% [markdown]
# ## Under watch
# In molecular dynamics nobody knows the true forces, but the grades are there. `Watch` looks at every tenth step, and can warn,
# stop or collect what it finds. A relaxed structure is heated by a thermostat, which takes some 50 fs:


# %%
def simulated(model, temperature, steps=300):
    atoms = test[1].copy()
    atoms.calc = kff.Calculator(model, calibrated=True)
    watch, errors = Watch(atoms, "collect"), []
    rng = np.random.default_rng(1)
    dynamics = Langevin(atoms, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng)
    dynamics.attach(watch, interval=10)
    dynamics.attach(lambda: errors.append(np.sqrt(np.mean(atoms.calc.results["forces_std"] ** 2))), interval=10)
    dynamics.run(steps)
    return np.array(watch.grades), np.array(errors), watch.collected


cold = simulated(model, 100)
warm = simulated(model, 600)
times = 5.0 * np.arange(len(warm[0]))
print(f"expected error of the forces at the end: {cold[1][-5:].mean():.2f} at 100 K, {warm[1][-5:].mean():.2f} eV/Å at 600 K")
assert warm[0][-5:].mean() > cold[0][-5:].mean() and len(warm[2]) > len(cold[2])
kff.plots.grades_over_time(times, {"100 K": cold[0], "600 K": warm[0]})

# %% [markdown]
# ## What does it want to see?
# `pick` takes structures from the pool that are uncertain and unlike each other: six hot ones, whose labels would now be computed.
# (They are in our file. `keras_ff.active.ActiveLearning` does this in a loop, with any calculator of ASE, and survives a kill.)

# %%
chosen = pick(model, pool, train, 6, scores(uncertainty(model, pool)))
wiser = trained([*train, *(pool[place] for place in chosen)])
wiser.calibrate(dataset(validation, wiser))
wiser_hot, wiser_relaxed = forces_mae(wiser, hot_test), forces_mae(wiser, test)
print(f"forces of the hot test structures: {of_hot:.0f} before, {wiser_hot:.0f} meV/Å after")
print(f"forces of the relaxed ones: {of_mean:.0f} before, {wiser_relaxed:.0f} meV/Å after")
assert wiser_hot < 0.6 * of_hot
warm_again = simulated(wiser, 600)
print(f"grade at 600 K: {warm[0][5:].mean():.1f} before, {warm_again[0][5:].mean():.1f} after")
assert warm_again[0][5:].mean() < warm[0][5:].mean()
kff.plots.grades_over_time(times, {"600 K, before": warm[0], "600 K, after six hot structures": warm_again[0]})

# %% [markdown]
# ## Made to order
# The spread has derivatives like everything here. `adversarial` follows its gradient from a structure to one nearby where the
# members disagree most, at an energy that is still plausible: a question to density functional theory that no simulation would
# have asked.

# %%
before, after = adversarial(wiser, test[1], temperature=300.0, steps=30).info["uncertainty"]
print(f"disagreement on the forces: {before:.3f} before, {after:.3f} eV/Å after 30 steps along its gradient")
assert after > 1.2 * before
