"""The law of the members of a committee."""

import numpy as np
from keras import ops

from keras_ff.models import Ensemble
from keras_ff.potentials.with_members import members_of
from keras_ff.testing.derivative_laws import FIVE_POINTS, STEPS
from keras_ff.testing.law import Worst
from keras_ff.testing.symmetry_laws import loose_batch


def members(probe, atoms_moved=1, tolerance=1e-6):
    """The members of a committee are potentials of their own, and the potential is their mean.

    The mean of their energies and forces are those of the potential; the forces of each are derivatives of its energy; padding,
    and what else is in a batch, changes none of them; and energies without derivatives come in the same order.

    Args:
        probe: The `Probe`.
        atoms_moved: Number of atoms that are moved, one by one.
        tolerance: Largest deviation that passes, relative to the largest energy or force, or to 1 eV and 1 eV/Å. Of the
            derivatives only; all other comparisons must be a thousand times better.

    Returns:
        `LawResult`, or None if the potential has no members, or a single one.
    """
    potential = probe.model.potential
    count = members_of(potential)
    if count is None or count < 2:
        return None
    with probe.float64():
        ensemble = probe.model
        if not isinstance(ensemble, Ensemble):
            ensemble = Ensemble(potential, dtype="float64")
            ensemble.reference_energies.assign(probe.model.reference_energies)
    atoms = probe.structure
    n = len(atoms)
    [whole] = probe.evaluate([atoms])
    energy, forces = _of_members(probe, ensemble, count, probe.batch([atoms], probe.shape))
    loose_energy, loose_forces = _of_members(probe, ensemble, count, loose_batch(probe))
    alone = _energies_alone(probe, count)
    strict, worst = Worst(), Worst()
    strict.compare("energy", energy[:, 0].mean(axis=0), whole["energy"], ": the mean over the members")
    strict.compare("forces", forces[:, 0, :n].mean(axis=0), whole["forces"], ": the mean over the members")
    strict.compare("energy", loose_energy[:, 0], energy[:, 0], lambda index: f" of member {index[0]} in another batch")
    strict.compare("forces", loose_forces[:, 0, :n], forces[:, 0, :n], lambda index: f" of member {index[0]} in another batch")
    strict.compare("forces", loose_forces[:, 0, n:], 0 * loose_forces[:, 0, n:], lambda index: f" of padding of member {index[0]}")
    strict.compare("energy", alone, energy[:, 0], lambda index: f" of member {index[0]} without derivatives")
    rng = np.random.default_rng(0)
    for index in range(min(atoms_moved, n)):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        moved = [atoms.copy() for _ in FIVE_POINTS]
        for copy, (steps, _) in zip(moved, FIVE_POINTS):
            copy.positions[index] += steps * STEPS[0] * direction
        found = [_of_members(probe, ensemble, count, probe.batch([copy], probe.shape))[0][:, 0] for copy in moved]
        slopes = np.array([weight for _, weight in FIVE_POINTS]) @ np.array(found) / STEPS[0]
        noise = 4 * np.finfo("float64").eps * np.abs(energy).max() / STEPS[0]
        worst.compare("forces", forces[:, 0, index] @ direction, -slopes, lambda i: f" of member {i[0]}", noise)
    strict.deviation *= 1e3
    return max(worst, strict, key=lambda one: np.nan_to_num(one.deviation, nan=np.inf)).result("members", tolerance)


def _of_members(probe, ensemble, count, batch):
    """Energies `(members, structures)` and forces `(members, structures, atoms, 3)` of a batch."""
    outputs = probe.outputs(batch, ensemble)["members"]
    structures, atoms = batch["species"].shape
    # Variances, where they are learned, come last.
    return outputs["energy"][:, 0].reshape(count, structures), outputs["forces"][..., :3].reshape(count, structures, atoms, 3)


def _energies_alone(probe, count):
    """Energies `(members,)` of the structure from `member_energies`, which computes no derivatives."""
    batch = probe.batch([probe.structure])
    with probe.float64():
        energies = ops.convert_to_numpy(probe.model.potential.member_energies(probe.neighborhood(batch)))
    reference = ops.convert_to_numpy(probe.model.reference_energies)[batch["species"][0]]
    return np.broadcast_to(energies, (count, len(reference))).sum(axis=1) + reference.sum()
