"""Molecular dynamics and derivatives through it: `keras-ff benchmark dynamics`."""

import time
from collections.abc import Sequence

import numpy as np
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import EDIP, StillingerWeber
from keras_ff.properties import RadialDistribution
from keras_ff.properties.base import derivative
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover, Rollout
from keras_ff_tools.benchmarks.classical import atom_steps_per_second
from keras_ff_tools.benchmarks.measure import melted, peak, row, timed

ENSEMBLES = (NVE(), Langevin(1000.0), NoseHoover(1000.0), NPT(1000.0))


def loop(cells: int = 8, steps: int = 400, ensembles: Sequence = ENSEMBLES) -> None:
    """Speed of the loop, lists included, beside that of LAMMPS.

    Args:
        cells: Number of cubic cells of 8 silicon atoms along each axis.
        steps: Number of timed steps; a quarter of it before.
        ensembles: Ensembles that are simulated.
    """
    kff.enable_float64()
    model = kff.ForceField(StillingerWeber.silicon(train=False))
    atoms = melted(model, cells)
    for ensemble in ensembles:
        lammps = atom_steps_per_second("sw", model.potential, atoms)
        dynamics = Dynamics(model, atoms, ensemble)
        dynamics.run(steps // 4, every=0, verbose=0)
        began = time.process_time()
        dynamics.run(steps, every=50, verbose=0)
        speed = steps * len(atoms) / (time.process_time() - began)
        ratio = f"; {speed / lammps:.2f} of LAMMPS NVE ({lammps / 1e3:.0f}) in the same process" if lammps else ""
        row(
            f"Stillinger-Weber, {len(atoms)} atoms at 1000 K, float64, {type(ensemble).__name__}, neighbor lists included",
            f"{speed / 1e3:.0f} thousand atom-steps per CPU s{ratio}",
        )


def gradients(
    potentials: Sequence[type] = (StillingerWeber, EDIP), cells: int = 2, steps: int = 200, repeats: int = 5, heating: int = 500
) -> None:
    """Cost of the gradient of a radial distribution over the steps of a trajectory with respect to all parameters.

    Args:
        potentials: Classes with parameters of silicon.
        cells: Number of cubic cells of 8 atoms along each axis.
        steps: Number of steps of the trajectory.
        repeats: Number of timed calls.
        heating: Number of steps at 2000 K before.
    """
    kff.enable_float64()
    for potential in potentials:
        through(potential, cells, steps, repeats, heating)


def through(potential: type, cells: int, steps: int, repeats: int, heating: int) -> None:
    """The row of `gradients` for one potential."""
    # Room for a sigma, whose derivative has one side where it is the cutoff.
    model = kff.ForceField(potential.silicon(train=True, cutoff=potential.silicon().cutoff + 0.1))
    hot = Dynamics(model, bulk("Si", a=5.43, cubic=True) * (cells, cells, cells), Langevin(2000.0))
    hot.run(heating, every=0, verbose=0)
    rollout = Rollout(model, hot.atoms, steps)
    distribution = RadialDistribution(rollout, np.linspace(0.5, 5.5, 100), width=0.2)
    gradient = derivative(model, lambda batch: ops.mean((distribution.compute(batch) - 1.0) ** 2))
    began = time.process_time()
    _, slopes = gradient(distribution.batch)
    compiled = time.process_time() - began
    slopes = [ops.convert_to_numpy(values) for values in slopes]
    finite = all(np.isfinite(values).all() for values in slopes)
    cpu, _ = timed(lambda: [ops.convert_to_numpy(values) for values in gradient(distribution.batch)[1]], repeats)
    lists, _ = timed(distribution.update, repeats)
    row(
        f"{potential.__name__}, gradient of g(r) (100 radii, every step) over {steps} steps, "
        f"{len(hot.atoms)} atoms, by {len(slopes)} parameters",
        f"{cpu:.2f} CPU s, {lists:.2f} for the trajectory and its lists before; {'all finite' if finite else 'NOT FINITE'}; "
        f"compiled in {compiled:.1f} CPU s, peak {peak():.0f} MB",
    )
