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
# # A force field for silicon, from DFT data to molecular dynamics
#
# We read energies and forces of silicon computed with density functional theory, train a NeuralIL force field on them for about
# a minute (for four in the run shown, beside other work), measure its errors on structures that it has not seen, and use it: for
# the lattice constant and for molecular dynamics.
#
# The data is the silicon set of mlearn (Zuo et al., J. Phys. Chem. A 124, 731, 2020): crystals under strain, surfaces, a vacancy,
# and snapshots of molecular dynamics up to the melt. It lies in `tutorials/data`.

# %%
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow": what follows is the same

import keras
import numpy as np
from ase import units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff import plots

HERE = Path(__file__).parent if "__file__" in globals() else Path(".")

# %% [markdown]
# ## What is in the data?
# `read` takes any format that ASE reads and finds the labels under their common names. `check` looks for what often goes wrong:
# units, the sign of the stress, copies, outliers.

# %%
structures, report = kff.data.read_with_report(HERE / "data" / "Si_train.xyz.gz")
test_structures = kff.data.read(HERE / "data" / "Si_test.xyz.gz")
print(report)
print("\n".join(kff.data.check(structures)) or "nothing suspicious")

assert report.labels == {"energy": 214, "forces": 214, "stress": 214}

# %% [markdown]
# ## Batches
# Species and cutoff of the model tell a `Dataset` which neighbors to look for. Structures of similar size share a padded shape;
# each shape is compiled once, so we allow two. A tenth of the structures is set aside for validation.

# %%
model = kff.ForceField(kff.potentials.NeuralIL(species=["Si"], cutoff=5.0, n_max=6))
train_structures, valid_structures = kff.data.split(structures, (0.9, 0.1))
train = kff.data.Dataset(train_structures, model, batch_size=4, max_shapes=2)
valid = kff.data.Dataset(valid_structures, model, batch_size=4, max_shapes=1, shuffle=False)
test = kff.data.Dataset(test_structures, model, batch_size=4, max_shapes=1, shuffle=False)
print(train.report())

assert train.padding_waste < 0.3

# %% [markdown]
# ## Training is Keras
# `adapt` fits the reference energy of the element and the scales of descriptors and forces. The rest is `compile` and `fit`: the
# log-cosh loss of NeuralIL, Adam, and a learning rate that rises quickly and falls to zero.

# %%
epochs = 40
model.adapt(train)
model.compile(
    optimizer=keras.optimizers.Adam(kff.training.one_cycle(3e-3, epochs * len(train))),
    loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
    metrics=kff.training.default_metrics(),
)
progress = kff.training.Progress(every=5)
history = model.fit(train, validation_data=valid, epochs=epochs, verbose=0, callbacks=[progress]).history

assert history["val_loss"][-1] < 0.3 * history["val_loss"][0]

# %%
plots.learning_curves(history)

# %% [markdown]
# ## How large are the errors on structures it has not seen?
# The test set comes from the same simulations as the training set, so these numbers say how well the model interpolates.

# %%
errors = model.evaluate(test, verbose=0, return_dict=True)
print(f"energy  {1000 * errors['energy_per_atom_mae']:.1f} meV/atom")
print(f"forces  {1000 * errors['forces_mae']:.0f} meV/Å")
print(f"stress  {errors['stress_mae'] / units.GPa:.2f} GPa")

assert errors["energy_per_atom_mae"] < 0.015 and errors["forces_mae"] < 0.120

# %%
predicted = model.predict(test, verbose=0)
energies = [atoms.get_potential_energy() / len(atoms) for atoms in test_structures]
plots.parity(energies, predicted["energy_per_atom"][:, 0], "energy per atom", "eV/atom", "meV/atom", 1000)

# %%
forces = np.concatenate([atoms.get_forces() for atoms in test_structures])
found = np.concatenate([rows[: len(atoms)] for rows, atoms in zip(predicted["forces"], test_structures)])
plots.parity(forces, found, "force components", "eV/Å", "meV/Å", 1000)

# %% [markdown]
# ## A file that gives the same numbers again
# One `.keras` file holds the model; it loads on either backend.

# %%
file = Path(tempfile.mkdtemp()) / "silicon.keras"
model.save(file)
loaded = kff.load(file)
again = loaded.predict(test, verbose=0)
print(f"{file.stat().st_size / 1024:.0f} KiB, {loaded.count_params()} parameters")

assert np.array_equal(again["forces"], predicted["forces"])

# %% [markdown]
# ## Which lattice constant does it predict?
# The ASE calculator makes the model available to everything that works with ASE. PBE gives 5.469 Å.

# %%
volumes, energies = [], []
for a in np.linspace(5.3, 5.65, 9):
    crystal = bulk("Si", a=a)
    crystal.calc = kff.Calculator(loaded)
    volumes.append(crystal.get_volume())
    energies.append(crystal.get_potential_energy())
volume, _, bulk_modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
lattice_constant = (4 * volume) ** (1 / 3)
print(f"a = {lattice_constant:.3f} Å, bulk modulus {bulk_modulus / units.GPa:.0f} GPa")

assert abs(lattice_constant - 5.469) < 0.03

# %% [markdown]
# ## Does molecular dynamics conserve the energy?
# Forces are exact derivatives of a smooth energy, so a simulation without a thermostat keeps its total energy.

# %%
crystal = bulk("Si", a=lattice_constant, cubic=True) * (2, 2, 2)
crystal.calc = kff.Calculator(loaded)
momenta = np.random.default_rng(0).normal(size=(len(crystal), 3)) * np.sqrt(units.kB * 1600 * crystal.get_masses())[:, None]
crystal.set_momenta(momenta - momenta.mean(axis=0))

times, totals, temperatures = [], [], []
dynamics = VelocityVerlet(crystal, timestep=1.0 * units.fs)


def record():
    times.append(dynamics.get_time() / units.fs)
    totals.append(crystal.get_total_energy())
    temperatures.append(crystal.get_temperature())


dynamics.attach(record, interval=5)
dynamics.run(1000)
_, drift, fluctuation = plots.energy_drift(times, totals, len(crystal))
print(f"drift {drift:.4f} meV/atom in 1 ps, fluctuation {fluctuation:.3f} meV/atom")

assert abs(drift) < 0.2

# %%
plots.energy_conservation(times, totals, len(crystal), temperatures)

# %% [markdown]
# ## What next?
# * `keras-ff train --train tutorials/data/Si_train.xyz.gz --minutes 10` does the same as this page, keeps everything in a run
#   folder and can be interrupted.
# * `keras-ff check MODEL FILES` tests a model on your own structures.
# * Your data: replace the two file names and the list of species.
