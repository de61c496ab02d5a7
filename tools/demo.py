"""The demonstration: from DFT data of silicon to molecular dynamics and a report, in a few minutes.

Trains on the data in tutorials/data, evaluates on the test set, runs 1 ps of molecular dynamics at constant energy through the ASE
calculator, and writes everything into one folder. `make demo` runs it.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_ff import ForceField

DATA = Path(__file__).resolve().parent.parent / "tutorials" / "data"

# Wall time of the training. With the installation, the simulation and the report, `make demo` stays below 6 minutes on two cores.
MINUTES = 2.5

# Lattice constant of PBE in Å, cubic cells of 8 atoms along each axis, steps of 1 fs, temperature at the start in K.
LATTICE, REPEAT, STEPS, TEMPERATURE = 5.469, 3, 1000, 1600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser("demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="demo", metavar="FOLDER", help="folder of the results, emptied first (default demo)")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="M", help=f"of training (default {MINUTES:g})")
    args = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    began = time.monotonic()

    from keras_ff_tools.run.folder import RunFolder
    from keras_ff_tools.run.report import write_run
    from keras_ff_tools.run.settings import Settings
    from keras_ff_tools.run.training import train

    out = Path(args.out)
    if RunFolder(out).exists:
        shutil.rmtree(out)
    settings = Settings(train=DATA / "Si_train.xyz.gz", test=DATA / "Si_test.xyz.gz", minutes=args.minutes, max_shapes=2)
    result = train(settings, out)
    print(f"\nMolecular dynamics: {8 * REPEAT**3} silicon atoms, {STEPS} steps of 1 fs at constant energy", flush=True)
    simulation = molecular_dynamics(result.model)
    print(simulation["text"])
    write_run(result, simulation)
    print(f"\nDone in {time.monotonic() - began:.0f} s. The report, to open in a browser:\n  {(out / 'report.html').resolve()}")
    return 0


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
    dynamics.run(steps)
    seconds = time.monotonic() - began
    _, drift, fluctuation = kff.plots.energy_drift(times, energies, len(atoms))
    mean = np.mean(temperatures[len(temperatures) // 2 :])
    text = (
        f"{len(atoms)} atoms, {steps} steps of 1 fs at constant energy, {mean:.0f} K on average in the second half: the total "
        f"energy drifts by {drift:+.2g} meV/atom/ps and fluctuates by {fluctuation:.2g} meV/atom. {steps / seconds:.0f} steps "
        "per second."
    )
    figure = kff.plots.energy_conservation(times, energies, len(atoms), temperatures)
    return {"text": text, "figure": figure, "times": times, "energies": energies, "temperatures": temperatures}


if __name__ == "__main__":
    sys.exit(main())
