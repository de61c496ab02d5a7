"""Start of a simulation: checks of the structure, and velocities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from ase import units

from keras_ff.data.roles import TakesBatches
from keras_ff.simulation.constraints import FreeDirections
from keras_ff.simulation.ensembles import NVE

if TYPE_CHECKING:
    from ase import Atoms


def check_model(model: Any) -> None:
    """Raise an error if a simulation or a property is given something else than a force field.

    Args:
        model: What was given.

    Raises:
        TypeError: If it is no `ForceField`; the message says how to make one.
    """
    if isinstance(model, keras.Model) and isinstance(model, TakesBatches):
        return
    make = "keras_ff.ForceField(potential)" if isinstance(model, keras.layers.Layer) else 'keras_ff.load("model.keras")'
    raise TypeError(f"A ForceField computes energies and forces. Received a {type(model).__name__}; make one with {make}.")


def checked_free(atoms: Atoms, ensemble: NVE) -> FreeDirections:
    """Free directions of a structure, after a check that it can be simulated in an ensemble.

    Args:
        atoms: The structure.
        ensemble: The ensemble.

    Returns:
        `FreeDirections`.

    Raises:
        TypeError: If the ensemble is none.
        ValueError: If the structure has no atoms or a constraint that is not honored, or the ensemble has a pressure and the
            structure is not periodic in three directions or has constraints.
    """
    if not isinstance(ensemble, NVE):
        raise TypeError(f"An ensemble is NVE(), Langevin(300), NoseHoover(300) or NPT(300). Received {ensemble!r}.")
    if not len(atoms):
        raise ValueError("The structure has no atoms.")
    free = FreeDirections(atoms)
    if ensemble.pressure is not None:
        if not atoms.pbc.all():
            raise ValueError(f"{atoms.get_chemical_formula()} has no volume: pbc={atoms.pbc.tolist()}. A pressure needs pbc=True.")
        if free.held.any():
            names = sorted({type(one).__name__ for one in atoms.constraints})
            raise ValueError(
                f"{atoms.get_chemical_formula()} has constraints ({', '.join(names)}), and a pressure moves all atoms with the "
                "cell. Simulate at constant volume, or remove the constraints with atoms.set_constraint()."
            )
    return free


def with_velocities(atoms: Atoms, free: FreeDirections, temperature: float, random: np.random.Generator) -> Atoms:
    """Copy of a structure with its velocities, or thermal ones if all of them are zero.

    Args:
        atoms: The structure.
        free: Its free directions.
        temperature: Temperature in K.
        random: Generator of random numbers.

    Returns:
        The copy.

    Raises:
        ValueError: If a velocity is not finite or a mass is not positive.
    """
    atoms, masses = atoms.copy(), atoms.get_masses()
    if not np.isfinite(atoms.get_momenta()).all() or not (np.isfinite(masses).all() and masses.min() > 0):
        raise ValueError(f"{atoms.get_chemical_formula()} has velocities that are not finite, or masses that are not positive.")
    if not atoms.get_momenta().any() and temperature > 0:
        velocities = thermal_velocities(masses, temperature, random, free)
        atoms.set_momenta(masses[:, None] * velocities, apply_constraint=False)
    return atoms


def thermal_velocities(
    masses: np.ndarray, temperature: float, random: np.random.Generator, free: FreeDirections | None = None
) -> np.ndarray:
    """Random velocities of the Maxwell-Boltzmann distribution without total momentum, (atoms, 3) in units of ASE.

    Args:
        masses: (atoms,), in amu.
        temperature: Temperature in K.
        random: Generator of random numbers.
        free: Free directions of the atoms, along which velocities are. Momentum is removed where all can move together; all
            directions by default.

    Returns:
        Array of velocities; a single atom keeps its momentum.

    Example:
        >>> velocities = thermal_velocities(np.array([28.0, 28.0]), 300.0, np.random.default_rng(0))
        >>> bool(np.allclose(velocities.sum(axis=0), 0.0))
        True
    """
    velocities = random.normal(size=(len(masses), 3)) * np.sqrt(units.kB * temperature / masses)[:, None]
    if free is not None and free.held.any():
        velocities = free.project(velocities)
    drift = masses @ velocities / masses.sum() if len(masses) > 1 else np.zeros(3)
    return velocities - (drift if free is None else free.translations @ drift)
