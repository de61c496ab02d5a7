"""Molecular dynamics and derivatives through it: `python -m keras_ff_tools.benchmark_dynamics`."""

import time

import numpy as np
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import EDIP, StillingerWeber
from keras_ff.properties import RadialDistribution
from keras_ff.properties.base import derivative
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, NoseHoover, Rollout
from keras_ff_tools.benchmark_classical import atom_steps_per_second, melted
from keras_ff_tools.benchmark_speed import peak, row, timed

STEPS = 400


def main():
    kff.enable_float64()
    loop()
    for potential in (StillingerWeber, EDIP):
        through(potential)


def loop():
    """Speed of the loop, lists included, beside that of LAMMPS."""
    model = kff.ForceField(StillingerWeber.silicon(train=False))
    atoms = melted(model, 8)
    for ensemble in (NVE(), Langevin(1000.0), NoseHoover(1000.0), NPT(1000.0)):
        lammps = atom_steps_per_second("sw", model.potential, atoms)
        dynamics = Dynamics(model, atoms, ensemble)
        dynamics.run(STEPS // 4, every=0, verbose=0)
        began = time.process_time()
        dynamics.run(STEPS, every=50, verbose=0)
        speed = STEPS * len(atoms) / (time.process_time() - began)
        ratio = f"; {speed / lammps:.2f} of LAMMPS NVE ({lammps / 1e3:.0f}) in the same process" if lammps else ""
        row(
            f"Stillinger-Weber, {len(atoms)} atoms at 1000 K, float64, {type(ensemble).__name__}, neighbor lists included",
            f"{speed / 1e3:.0f} thousand atom-steps per CPU s{ratio}",
        )


def through(potential):
    """Cost of the gradient of a radial distribution over 200 steps of 64 atoms by all parameters."""
    # Room for a sigma, whose derivative has one side where it is the cutoff.
    model = kff.ForceField(potential.silicon(train=True, cutoff=potential.silicon().cutoff + 0.1))
    hot = Dynamics(model, bulk("Si", a=5.43, cubic=True) * (2, 2, 2), Langevin(2000.0))
    hot.run(500, every=0, verbose=0)
    rollout = Rollout(model, hot.atoms, 200)
    distribution = RadialDistribution(rollout, np.linspace(0.5, 5.5, 100), width=0.2)
    gradient = derivative(model, lambda batch: ops.mean((distribution.compute(batch) - 1.0) ** 2))
    began = time.process_time()
    _, found = gradient(distribution.batch)
    compiled = time.process_time() - began
    found = [ops.convert_to_numpy(values) for values in found]
    finite = all(np.isfinite(values).all() for values in found)
    cpu, _ = timed(lambda: [ops.convert_to_numpy(values) for values in gradient(distribution.batch)[1]], 5)
    lists, _ = timed(distribution.update, 5)
    row(
        f"{potential.__name__}, gradient of g(r) (100 radii, every step) over 200 steps, 64 atoms, by {len(found)} parameters",
        f"{cpu:.2f} CPU s, {lists:.2f} for the trajectory and its lists before; {'all finite' if finite else 'NOT FINITE'}; "
        f"compiled in {compiled:.1f} CPU s, peak {peak():.0f} MB",
    )


if __name__ == "__main__":
    main()
