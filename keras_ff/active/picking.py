"""Choosing structures that are uncertain and unlike each other."""

import numpy as np
from ase import Atoms

from keras_ff import backend
from keras_ff.data import Dataset
from keras_ff.models import Ensemble

# Structures in a batch.
BATCH = 8


def uncertainty(model, structures):
    """How much the members of an ensemble disagree.

    Args:
        model: `Ensemble`.
        structures: List of `ase.Atoms`.

    Returns:
        Dict of arrays `(structures,)`: `forces` in eV/Å, the root of the mean square of the standard deviations of the forces on
        the atoms, and `energy_per_atom` in eV, the standard deviation of the energies per atom.

    Raises:
        ValueError: If the model is no `Ensemble`, or the structures are none: see `checked_candidates`.
    """
    check_ensemble(model)
    data = _data(model, checked_candidates(structures))

    def spreads(batch):
        outputs = model(batch)
        return outputs["forces_std"][..., 0], outputs["energy_per_atom_std"][:, 0]

    function = backend.jit(spreads, layer=model)
    found = {name: np.zeros(len(structures)) for name in ("forces", "energy_per_atom")}
    for index in range(len(data)):
        batch, _ = data[index]
        forces, energy = (np.asarray(values, dtype="float64") for values in function(batch))
        is_atom, members = batch["species"] >= 0, data.indices(index)
        there = members >= 0
        found["forces"][members[there]] = np.sqrt(np.sum(forces**2 * is_atom, axis=1)[there] / is_atom.sum(axis=1)[there])
        found["energy_per_atom"][members[there]] = energy[there]
    return found


def check_ensemble(model):
    """Raise a ValueError unless the model has members that can disagree."""
    if not isinstance(model, Ensemble):
        raise ValueError(f"Uncertainty needs the members of a keras_ff.Ensemble. Received a {type(model).__name__}.")


def scores(spreads):
    """One score for each structure from its `uncertainty`: the root of the sum of squares, each in units of its mean.

    With the forces alone, crystals under strain, whose forces vanish by symmetry, would never be picked, and their energies never
    learned.
    """
    return np.sqrt(sum((values / max(values.mean(), 1e-300)) ** 2 for values in spreads.values()))


def pick(model, candidates, known, count, worth):
    """Structures that are uncertain and unlike those that are known, and unlike each other.

    One after the other is taken: the one with the largest product of its worth and its distance to the nearest structure that is
    known or taken already. A structure is described by the means of the descriptors of its atoms, in units of their
    standard deviations over all structures.

    Args:
        model: `ForceField` with descriptors.
        candidates: List of `ase.Atoms`.
        known: List of `ase.Atoms` with labels already.
        count: How many to pick; all, if there are fewer candidates.
        worth: `(candidates,)`, such as `scores(uncertainty(model, candidates))`.

    Returns:
        List of places in `candidates`, in the order in which they were taken.

    Raises:
        ValueError: If the model has no descriptors, the count is not positive, there is no number for each candidate, or one is
            broken: see `checked_candidates`.

    Reference:
        Zaverkin, Holzmüller, Steinwart and Kästner, Digital Discovery 1, 605 (2022), on batches that are informative and diverse.
    """
    candidates, worth = checked_candidates(candidates), np.asarray(worth, dtype="float64")
    if count < 1:
        raise ValueError(f"The number of structures to pick is at least 1. Received count={count}.")
    if worth.shape != (len(candidates),):
        raise ValueError(f"Each candidate needs a number. Received worth of shape {worth.shape} for {len(candidates)} candidates.")
    described = np.array([rows.mean(axis=0) for rows in model.describe(_data(model, [*candidates, *known]))], dtype="float64")
    scale = described.std(axis=0)
    described = described / np.where(scale > 0, scale, 1.0)
    places, others = described[: len(candidates)], described[len(candidates) :]
    # With nothing known the first is the one that is farthest from the middle.
    others = others if len(others) else places.mean(axis=0, keepdims=True)
    distances = np.min([_distances(places, other) for other in others], axis=0)
    taken = []
    for _ in range(min(count, len(candidates))):
        gains = worth * distances
        # Copies of what is known gain nothing, but are picked before a structure is picked twice.
        gains[taken] = -1.0
        taken.append(int(np.argmax(gains)))
        distances = np.minimum(distances, _distances(places, places[taken[-1]]))
    return taken


def checked_candidates(structures):
    """The structures as a list.

    Raises:
        ValueError: If there is none, one is no `ase.Atoms`, or one has no atoms or positions that are not finite.
    """
    structures = list(structures)
    if not structures:
        raise ValueError("There are no candidates: the pool is empty.")
    for place, atoms in enumerate(structures):
        if not isinstance(atoms, Atoms):
            raise ValueError(
                f"Candidates are ase.Atoms with positions. Received {type(atoms).__name__} at place {place} of the pool."
            )
        if not len(atoms) or not np.isfinite(atoms.positions).all():
            raise ValueError(
                f"Candidate {place}, {atoms.get_chemical_formula() or 'empty'}, has no positions, or some that are not finite."
            )
    return structures


def _data(model, structures):
    bare = []
    for atoms in structures:
        atoms = atoms.copy()
        atoms.calc = None
        bare.append(atoms)
    return Dataset(bare, model, batch_size=BATCH, shuffle=False, progress=False)


def _distances(rows, row):
    return np.linalg.norm(rows - row, axis=1)
