"""Candidates for labels from molecular dynamics with the model itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.units import fs
from tqdm import tqdm

from keras_ff.active.picking import check_ensemble
from keras_ff.arguments import positive, whole
from keras_ff.interfaces.ase import Calculator

if TYPE_CHECKING:
    from ase import Atoms

    from keras_ff.models import Ensemble


def explore(
    model: Ensemble,
    starts: Iterable[Atoms],
    temperature: float,
    steps: int,
    every: int = 20,
    timestep: float = 1.0,
    limit: float = 2.0,
    seed: int = 0,
) -> list[Atoms]:
    """Run molecular dynamics until the members of an ensemble disagree, and return frames as candidates for labels.

    The simulations have constant volume (Langevin dynamics of ASE) and honor all constraints of the structures.

        candidates = explore(model, structures, temperature=1000, steps=5000)

    Args:
        model: `Ensemble`.
        starts: Structures; a simulation starts from each.
        temperature: Temperature in K.
        steps: Number of steps of each simulation.
        every: Number of steps between frames.
        timestep: Time step in fs.
        limit: Standard deviation of the forces on an atom in eV/Å. A simulation ends with the first frame in which an atom exceeds
            it; that frame is the last one returned.
        seed: Seed of velocities and noise.

    Returns:
        Frames as `ase.Atoms` without labels, with the largest standard deviation of the forces on an atom as `info["forces_std"]`,
        in eV/Å.

    Raises:
        ValueError: If the model is not an `Ensemble`, a number is out of range, or a start is a structure that the model cannot
            compute.

    Warns:
        UserWarning: If a simulation is lost, as atoms lie on top of each other or numbers are no longer finite. Its frames until
            then are returned.
    """
    check_ensemble(model)
    temperature, timestep = positive("temperature", temperature, "K"), positive("timestep", timestep, "fs")
    steps, every = whole("steps", steps, 1), whole("every", every, 1)
    rng, calculator, frames = np.random.default_rng(seed), Calculator(model), []
    for start in tqdm(list(starts), "simulations", leave=False, delay=2):
        atoms = start.copy()
        atoms.calc = calculator
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        atoms.get_forces()
        dynamics = Langevin(atoms, timestep * fs, temperature_K=temperature, friction=0.01 / fs, fixcm=False, rng=rng)
        for number in range(steps // every):
            try:
                dynamics.run(every)
                spread = float(atoms.calc.results["forces_std"].max())
                lost = None if np.isfinite(spread) else "the forces are no longer finite"
            # The calculator refuses structures that have flown apart.
            except ValueError as error:
                lost = str(error)
            if lost:
                warnings.warn(
                    f"The simulation of {atoms.get_chemical_formula()} is lost after step {number * every}: {lost}. The frames "
                    "until then are kept.",
                    stacklevel=2,
                )
                break
            frame = atoms.copy()
            frame.calc = None
            frame.info["forces_std"] = spread
            frames.append(frame)
            if spread > limit:
                break
    return frames
