"""Choice of structures whose predictions are uncertain and that are unlike each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from keras_ff import backend
from keras_ff.data import Dataset, unweighted
from keras_ff.models import Ensemble

if TYPE_CHECKING:
    from keras_ff.models import ForceField

# Number of structures in a batch.
BATCH = 8


def uncertainty(model: Ensemble, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
    """Uncertainty of the predictions for structures: how much the members of an ensemble disagree.

    Args:
        model: `Ensemble`.
        structures: List of `ase.Atoms`.

    Returns:
        Dict of arrays `(structures,)`: `forces` in eV/Å, the root mean square over the atoms of the standard deviations of the
        forces, and `energy_per_atom` in eV, the standard deviation of the energy per atom.

    Raises:
        ValueError: If the model is not an `Ensemble`, there are no structures, or one has no atoms or positions that are not
            finite.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.Ensemble(kff.potentials.NeuralIL(["Cu"], cutoff=3.0, n_max=1, members=2))
        >>> spreads = kff.active.uncertainty(model, [bulk("Cu"), bulk("Cu", a=3.9)])
        >>> sorted(spreads), spreads["forces"].shape
        (['energy_per_atom', 'forces'], (2,))
    """
    check_ensemble(model)
    data = _data(model, checked_candidates(structures))

    def spreads(batch):
        outputs = model(batch)
        return outputs["forces_std"][..., 0], outputs["energy_per_atom_std"][:, 0]

    function = backend.jit(spreads, layer=model)
    results = {name: np.zeros(len(structures)) for name in ("forces", "energy_per_atom")}
    for index in range(len(data)):
        batch, *_ = data[index]
        forces, energy = (np.asarray(values, dtype="float64") for values in function(batch))
        is_atom, members = batch["species"] >= 0, data.indices(index)
        there = members >= 0
        results["forces"][members[there]] = np.sqrt(np.sum(forces**2 * is_atom, axis=1)[there] / is_atom.sum(axis=1)[there])
        results["energy_per_atom"][members[there]] = energy[there]
    return results


def check_ensemble(model: Ensemble) -> None:
    """Check that a model is an `Ensemble`, whose members can disagree.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(model, Ensemble):
        raise ValueError(f"Uncertainty needs the members of a keras_ff.Ensemble. Received a {type(model).__name__}.")


def scores(spreads: dict[str, np.ndarray]) -> np.ndarray:
    """Score of each structure from its uncertainties, `(structures,)`: the larger, the more worth labeling.

    It is the root of the sum of the squares of all uncertainties, each divided by its mean over the structures. With the forces
    alone, strained crystals, whose forces vanish by symmetry, would never be picked, and their energies never learned.

    Args:
        spreads: Dict of arrays `(structures,)`, as from `uncertainty`.

    Returns:
        Array `(structures,)` without a unit.

    Example:
        >>> import keras_ff as kff
        >>> values = {"forces": np.array([1.0, 3.0]), "energy_per_atom": np.array([0.02, 0.02])}
        >>> kff.active.scores(values).round(3).tolist()
        [1.118, 1.803]
    """
    return np.sqrt(sum((values / max(values.mean(), 1e-300)) ** 2 for values in spreads.values()))


def pick(model: ForceField, candidates: Sequence[Atoms], known: Sequence[Atoms], count: int, worth: Sequence[float]) -> list[int]:
    """Pick structures to label: uncertain ones that are unlike those already labeled, and unlike each other.

    They are taken one after the other, each time the structure with the largest product of its worth and its distance to the
    nearest structure that is known or taken already. The distance is that of the mean descriptors of their atoms, in units of the
    standard deviations over all structures.

    Args:
        model: `ForceField` whose potential has descriptors, such as NeuralIL.
        candidates: List of `ase.Atoms`.
        known: List of `ase.Atoms` that are labeled already; may be empty.
        count: Number of structures to pick; all of them, if there are fewer candidates.
        worth: How much each candidate is worth, `(candidates,)`, such as `scores(uncertainty(model, candidates))`.

    Returns:
        Indices of the picked structures in `candidates`, in the order in which they were taken.

    Raises:
        ValueError: If the model has no descriptors, the count is not positive, `worth` is not one number for each candidate, or a
            candidate has no atoms or positions that are not finite.

    Example:
        A copy of a known structure is not picked, however much it is worth:

        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.NeuralIL(["Cu"], cutoff=3.0, n_max=1))
        >>> candidates = [bulk("Cu"), bulk("Cu", a=3.8), bulk("Cu", a=3.9)]
        >>> kff.active.pick(model, candidates, known=[bulk("Cu")], count=1, worth=[9.0, 1.0, 1.0])
        [2]

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
    points, others = described[: len(candidates)], described[len(candidates) :]
    # With nothing known the first structure is the one that is farthest from the mean.
    others = others if len(others) else points.mean(axis=0, keepdims=True)
    distances = np.min([_distances(points, other) for other in others], axis=0)
    taken = []
    for _ in range(min(count, len(candidates))):
        gains = worth * distances
        # Copies of what is known gain nothing, but are picked before a structure is picked twice.
        gains[taken] = -1.0
        taken.append(int(np.argmax(gains)))
        distances = np.minimum(distances, _distances(points, points[taken[-1]]))
    return taken


def checked_candidates(structures: Iterable[Atoms]) -> list[Atoms]:
    """Candidates as a list, after a check of each.

    Args:
        structures: `ase.Atoms` each.

    Raises:
        ValueError: If there are none, one is not an `ase.Atoms`, or one has no atoms or positions that are not finite.
    """
    structures = list(structures)
    if not structures:
        raise ValueError("There are no candidates: the pool is empty.")
    for index, atoms in enumerate(structures):
        if not isinstance(atoms, Atoms):
            raise ValueError(
                f"Candidates are ase.Atoms with positions. Received {type(atoms).__name__} at index {index} of the pool."
            )
        if not len(atoms) or not np.isfinite(atoms.positions).all():
            raise ValueError(
                f"Candidate {index}, {atoms.get_chemical_formula() or 'empty'}, has no positions, or some that are not finite."
            )
    return structures


def _data(model, structures):
    """Dataset of structures without labels."""
    bare = unweighted(structures)
    for atoms in bare:
        atoms.calc = None
    return Dataset(bare, model, batch_size=BATCH, shuffle=False, progress=False)


def _distances(rows, row):
    return np.linalg.norm(rows - row, axis=1)
