"""Candidates from molecular dynamics with the model itself."""

import numpy as np
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.units import fs
from tqdm import tqdm

from keras_ff.active.picking import check_ensemble
from keras_ff.interfaces.ase import Calculator


def explored(model, starts, temperature, steps, every=20, timestep=1.0, limit=2.0, seed=0):
    """Frames of molecular dynamics (Langevin of ASE, constant volume), up to where the model no longer knows what it does.

    Args:
        model: `Ensemble`.
        starts: List of `ase.Atoms`; a simulation starts from each.
        temperature: In K.
        steps: Of each simulation.
        every: Steps between frames.
        timestep: In fs.
        limit: In eV/Å. A simulation ends with the frame in which the standard deviation of the forces on an atom is above.
        seed: Of velocities and noise.

    Returns:
        List of `ase.Atoms` without labels, the largest standard deviation of the forces on an atom as `info["forces_std"]`.

    Raises:
        ValueError: If the model is no `Ensemble`.
    """
    check_ensemble(model)
    rng, calculator, frames = np.random.default_rng(seed), Calculator(model), []
    for start in tqdm(list(starts), "simulations", leave=False, delay=2):
        atoms = start.copy()
        atoms.calc = calculator
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        dynamics = Langevin(atoms, timestep * fs, temperature_K=temperature, friction=0.01 / fs, fixcm=False, rng=rng)
        for _ in range(steps // every):
            dynamics.run(every)
            spread = float(atoms.calc.results["forces_std"].max())
            if not np.isfinite(spread):
                break
            frame = atoms.copy()
            frame.calc = None
            frame.info["forces_std"] = spread
            frames.append(frame)
            if spread > limit:
                break
    return frames
