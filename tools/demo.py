"""From DFT data of silicon to a force field, molecular dynamics and a report, in about four minutes.

Trains on the silicon data that comes with the library, evaluates on its test set, runs 1 ps of molecular dynamics at constant
energy through the ASE calculator, and writes everything into one folder.

  keras-ff demo
  keras-ff demo --out demo_tensorflow --backend tensorflow
  keras-ff demo --minutes 0.5 --steps 100        to see that all works; the network is then no good

The next step: keras-ff train --train YOUR_DATA, or keras-ff tutorials.
"""

import argparse
import collections
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_ff_tools.tutorials import DATA

if TYPE_CHECKING:
    from keras_ff import ForceField

# Wall time of the training. With the installation, the simulation and the report, `make demo` stays below 6 minutes on two cores.
MINUTES = 2.5

# Lattice constant of PBE in Å, cubic cells of 8 atoms along each axis, steps of 1 fs, temperature at the start in K.
LATTICE, REPEAT, STEPS, TEMPERATURE = 5.469, 3, 1000, 1600

TRAIN, TEST = DATA / "Si_train.xyz.gz", DATA / "Si_test.xyz.gz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument(
        "-o",
        "--out",
        default="demo",
        metavar="FOLDER",
        help="folder of the results; an earlier demo in it is removed (default demo)",
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="M", help=f"minutes of training (default {MINUTES:g})")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"steps of molecular dynamics (default {STEPS})")


def run(args: argparse.Namespace) -> None:
    """Train, evaluate, simulate, and write the report."""
    began = time.monotonic()

    from keras_ff_tools.run.report import write_run
    from keras_ff_tools.run.settings import Settings
    from keras_ff_tools.run.training import train

    if args.steps < 10:
        raise ValueError(f"A simulation of {args.steps} steps shows nothing. Give --steps 10 or more.")
    out = Path(args.out)
    settings = Settings(train=TRAIN, test=TEST, minutes=args.minutes)
    _remove_earlier(out)
    result = train(settings, out)
    print(f"\nMolecular dynamics: {8 * REPEAT**3} silicon atoms, {args.steps} steps of 1 fs at constant energy", flush=True)
    simulation = molecular_dynamics(result.model, steps=args.steps)
    print(simulation["text"])
    write_run(result, simulation)
    print(f"\nDone in {time.monotonic() - began:.0f} s. The report, to open in a browser:\n  {(out / 'report.html').resolve()}")


def _remove_earlier(out):
    """Remove an earlier demonstration, and nothing else."""
    from keras_ff_tools.run.folder import RunFolder

    folder = RunFolder(out)
    if not folder.exists:
        return
    settings = folder.settings()
    if [Path(file).name for file in (*settings.train, *settings.test)] != [TRAIN.name, TEST.name]:
        raise FileExistsError(f"{out} holds a run that is no demonstration, and is kept. Give another folder with --out.")
    shutil.rmtree(out)


def molecular_dynamics(
    model: "ForceField", repeat: int = REPEAT, steps: int = STEPS, temperature: float = TEMPERATURE
) -> dict[str, Any]:
    """Run silicon at constant energy.

    Args:
        model: Force field of silicon.
        repeat: Number of cubic cells of 8 atoms along each axis.
        steps: Number of steps of 1 fs.
        temperature: Temperature of the start in K. The atoms begin at their lattice sites, so that half of it becomes potential
            energy.

    Returns:
        Dictionary of `text`, `figure`, `times` (fs), `energies` (total, eV), `temperatures` (K).
    """
    import numpy as np
    from ase import units
    from ase.build import bulk
    from ase.md.verlet import VelocityVerlet
    from tqdm import tqdm

    import keras_ff as kff
    from keras_ff.simulation.start import thermal_velocities

    atoms = bulk("Si", a=LATTICE, cubic=True) * (repeat, repeat, repeat)
    atoms.calc = kff.Calculator(model)
    atoms.set_velocities(thermal_velocities(atoms.get_masses(), temperature, np.random.default_rng(0)))
    times, energies, temperatures = [], [], []

    def record():
        times.append(dynamics.get_time() / units.fs)
        energies.append(atoms.get_total_energy())
        temperatures.append(atoms.get_temperature())

    dynamics = VelocityVerlet(atoms, timestep=1.0 * units.fs)
    dynamics.attach(record, interval=5)
    atoms.get_forces()  # Compiles.
    began = time.monotonic()
    shown = tqdm(dynamics.irun(steps), total=steps + 1, desc="molecular dynamics", unit=" steps", delay=2.0, leave=False)
    collections.deque(shown, maxlen=0)
    seconds = time.monotonic() - began
    _, drift, fluctuation = kff.plots.energy_drift(times, energies, len(atoms))
    mean = np.mean(temperatures[len(temperatures) // 2 :])
    text = (
        f"{len(atoms)} atoms, {steps} steps of 1 fs at constant energy, {mean:.0f} K on average in the second half: the total "
        f"energy drifts by {drift:+.2g} meV/atom/ps and fluctuates by {fluctuation:.2g} meV/atom, which is good where it is small "
        f"against the thermal energy kT of {1e3 * units.kB * mean:.0f} meV. {steps / seconds:.0f} steps per second."
    )
    figure = kff.plots.energy_conservation(times, energies, len(atoms), temperatures)
    return {"text": text, "figure": figure, "times": times, "energies": energies, "temperatures": temperatures}
