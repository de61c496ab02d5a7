"""Molecular dynamics with a model, from a structure in any format of ASE to a trajectory that ASE, OVITO and VMD read.

  keras-ff md silicon.keras POSCAR -o run.traj --temperature 300 --steps 10000
  keras-ff md runs/first start.xyz -o melt.traj --ensemble npt --temperature 2000 --pressure 0 --steps 50000 --every 100
  keras-ff md silicon.keras POSCAR -o run.traj --temperature 300 --steps 20000 --resume     continue, up to 20,000 steps in all

A table of energies, temperature and pressure is printed as it runs. Velocities in the file are the start; without any they are
drawn for the temperature. Constraints are honored. A run that was interrupted continues with --resume after its last frame: with
the same ensemble, and other random numbers than an uninterrupted one. The command ase convert run.traj run.xyz makes other formats.
"""

import argparse
import json
from pathlib import Path

ENSEMBLES = ("nve", "langevin", "nose-hoover", "npt")
ROW = "{:>10} {:>10} {:>9} {:>14} {:>12} {:>14} {:>10} {:>11}"
TITLES = ("step", "time", "T", "potential", "kinetic", "total", "pressure", "volume")
UNITS = ("", "ps", "K", "eV", "eV", "eV", "GPa", "Å³")

# Steps between which the neighbors are listed anew in any case, and frames are written.
BLOCK = 100

# What a run that continues has in common with its first part.
SAME = ("ensemble", "temperature", "pressure", "timestep")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best.keras is taken")
    parser.add_argument("structure", metavar="STRUCTURE", help="file of the structure at the start; the last frame of several")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="the trajectory, which ends with .traj")
    parser.add_argument(
        "--ensemble", choices=ENSEMBLES, default="langevin", help="what is held constant, and the thermostat (default langevin)"
    )
    parser.add_argument(
        "--temperature", type=float, default=300.0, metavar="T", help="temperature in K (default 300); with nve that of the start"
    )
    parser.add_argument("--pressure", type=float, default=0.0, metavar="P", help="pressure of npt in GPa (default 0)")
    parser.add_argument("--steps", type=int, default=1000, metavar="N", help="steps in all (default 1000)")
    parser.add_argument("--timestep", type=float, default=1.0, metavar="DT", help="time step in fs (default 1)")
    parser.add_argument("--every", type=int, default=100, metavar="N", help="steps between frames (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of velocities and noise (default 0)")
    parser.add_argument("--resume", action="store_true", help="continue after the last frame of the trajectory")


def run(args: argparse.Namespace) -> None:
    """Simulate, print the table, and write the frames one by one."""
    import ase.io

    from keras_ff import Calculator, load
    from keras_ff.files import exclusive_file
    from keras_ff.simulation import Dynamics

    path = Path(args.out)
    if path.suffix != ".traj":
        raise ValueError(f"The name of the trajectory ends with .traj. Received {args.out}.")
    if args.every < 1 or args.steps < args.every:
        raise ValueError(f"No frame is kept: --steps {args.steps} and --every {args.every}.")
    settings = {name: getattr(args, name) for name in SAME}
    if args.resume:
        atoms, done = _last_frame(path, settings)
    elif path.exists():
        raise FileExistsError(f"{path} exists. Go on with --resume, or give another file with --out.")
    else:
        atoms, done = ase.io.read(args.structure), 0
    model = load(args.model)
    dynamics = Dynamics(
        model, _warm(atoms, args) if args.ensemble == "nve" else atoms, _ensemble(args), args.timestep, seed=args.seed
    )
    # Noise belongs to a step: what is resumed goes on as if it had not been interrupted.
    dynamics.steps = done
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_file(path), ase.io.Trajectory(path, "a" if done else "w") as file:
        _advance(dynamics, args, done, file, Calculator(model), settings)
    if dynamics.grades:
        beyond = sum(grade > 1 for grade in dynamics.grades)
        print(f"\nextrapolation  {beyond} of {len(dynamics.grades)} looks above 1, largest grade {max(dynamics.grades):.2f}")
    print(f"\nwritten to {path}")


def _advance(dynamics, args, done, file, calculator, settings):
    from keras_ff_tools.run.frames import with_results

    print("compiling   the model for this structure, seconds to a minute ...\n")
    print(ROW.format(*TITLES) + "\n" + ROW.format(*UNITS), flush=True)
    while done + args.every <= args.steps:
        frames = min(max(1, BLOCK // args.every), (args.steps - done) // args.every)
        for frame in dynamics.run(frames * args.every, every=args.every, verbose=0):
            done += args.every
            frame = with_results(frame, calculator)
            frame.info = {**frame.info, "step": done, "md": json.dumps(settings)}
            file.write(frame)
            print(ROW.format(*_row(frame, done, args.timestep)), flush=True)


def _row(frame, step, timestep):
    from ase import units

    potential, kinetic = frame.get_potential_energy(), frame.get_kinetic_energy()
    pressure = "-"
    if frame.pbc.all():
        pressure = f"{-frame.get_stress(include_ideal_gas=True)[:3].mean() / units.GPa:.3f}"
    volume = f"{frame.get_volume():.2f}" if frame.cell.rank == 3 else "-"
    energies = f"{potential:.4f}", f"{kinetic:.4f}", f"{potential + kinetic:.4f}"
    return step, f"{1e-3 * step * timestep:.4f}", f"{frame.get_temperature():.1f}", *energies, pressure, volume


def _last_frame(path, settings):
    """Last frame of a trajectory that this verb has written, and its step."""
    import ase.io

    if not path.exists():
        raise FileNotFoundError(f"There is no trajectory {path} to continue. Leave --resume out to begin it.")
    try:
        atoms = ase.io.read(path, index=-1)
        before, done = json.loads(atoms.info["md"]), int(atoms.info["step"])
    except Exception as error:  # Whatever a damaged file raises in ASE.
        raise ValueError(f"{path} is no trajectory of keras-ff md that could be continued ({error}).") from error
    if changed := [f"{name} {before[name]} (now {settings[name]})" for name in SAME if before[name] != settings[name]]:
        raise ValueError(f"The trajectory {path} was begun with {', '.join(changed)}. Go on as it began, or begin another.")
    return atoms, done


def _warm(atoms, args):
    """The structure with velocities for Newton's equations, which know no temperature: its own, or random ones."""
    import numpy as np

    from keras_ff.simulation.constraints import FreeDirections
    from keras_ff.simulation.start import with_velocities

    return with_velocities(atoms, FreeDirections(atoms), args.temperature, np.random.default_rng(args.seed))


def _ensemble(args):
    from keras_ff import simulation

    return {
        "nve": simulation.NVE,
        "langevin": lambda: simulation.Langevin(args.temperature),
        "nose-hoover": lambda: simulation.NoseHoover(args.temperature),
        "npt": lambda: simulation.NPT(args.temperature, args.pressure),
    }[args.ensemble]()
