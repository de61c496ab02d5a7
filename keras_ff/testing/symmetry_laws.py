"""The laws of what changes nothing. Each takes a `Probe` and returns a `LawResult`.

Deviations of energies, forces and stress are relative to the largest one, or to 1 eV, 1 eV/Å, 0.01 eV/Å³ if that is larger.
"""

import numpy as np
from ase import Atoms

from keras_ff.testing.law import Worst


def rotation(probe, tolerance=1e-9):
    """A rotated structure has the same energies and rotated forces and stress.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    return _turned(probe, "rotation", tolerance, 1.0)


def reflection(probe, tolerance=1e-9):
    """A mirrored structure has the same energies and mirrored forces and stress.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    return _turned(probe, "reflection", tolerance, -1.0)


def permutation(probe, tolerance=1e-9):
    """Atoms in another order, and neighbors in another order with padding among them, have the same energies and forces.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    order = probe.rng.permutation(len(atoms))
    if (order == np.arange(len(atoms))).all():
        order = order[::-1]
    [before] = probe.evaluate([atoms])
    # With the reach, neighbors beyond the cutoff stand among the others too.
    batch = probe.batch([atoms[order], atoms], probe.shape, reach=probe.reach)
    columns = probe.rng.permuted(np.broadcast_to(np.arange(probe.shape[2]), probe.shape[1:]), axis=-1)
    for shuffled in (batch["neighbors"][0], batch["shifts"][0]):
        shuffled[:] = shuffled[np.arange(len(columns))[:, None], columns]
    found = probe.outputs(batch)
    worst = Worst()
    n = len(atoms)
    for index, places, who in ((0, order, atoms[order]), (1, np.arange(n), atoms)):
        worst.compare("energy", found["energies"][index, :n], before["energies"][places], probe.label(who))
        worst.compare("forces", found["forces"][index, :n], before["forces"][places], probe.label(who))
    return worst.result("permutation", tolerance)


def translation(probe, tolerance=1e-9):
    """A structure elsewhere, also across the boundary of its cell, has the same energies, forces and stress.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    shifted, crossed = atoms.copy(), atoms.copy()
    shifted.positions += probe.rng.normal(size=3) * 5.0
    turns = probe.rng.integers(-2, 3, size=(len(atoms), 3)) * atoms.pbc
    crossed.positions += turns @ atoms.cell.array
    before, *others = probe.evaluate([atoms, shifted, crossed])
    worst = Worst()
    for after in others:
        worst.compare("energy", after["energies"], before["energies"], probe.label())
        worst.compare("forces", after["forces"], before["forces"], probe.label())
        if atoms.pbc.all():
            worst.compare("stress", after["stress"], before["stress"])
    return worst.result("translation", tolerance)


def supercell(probe, tolerance=1e-9):
    """A doubled cell has the same atomic energies, forces and stress. Without a cell, two copies out of reach do.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    if atoms.pbc.any():
        axis = int(np.argmax(atoms.pbc))
        double = atoms.repeat([2 if a == axis else 1 for a in range(3)])
    else:
        other = atoms.copy()
        other.positions[:, 0] += np.ptp(atoms.positions[:, 0]) + 2.0 * probe.cutoff
        double = atoms + other
    before, after = probe.evaluate([atoms, double])
    worst = Worst()
    worst.compare("energy", after["energies"], np.tile(before["energies"], 2), probe.label(double))
    worst.compare("forces", after["forces"], np.tile(before["forces"], (2, 1)), probe.label(double))
    if atoms.pbc.all():
        worst.compare("stress", after["stress"], before["stress"])
    return worst.result("supercell", tolerance)


def padding(probe, tolerance=1e-9):
    """What else is in a batch changes nothing: another structure, and empty structures, atoms and neighbors, whatever they hold.

    Nor do atoms that are listed as neighbors and lie beyond the cutoff, or another number of neighbors that there is room for.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    n = len(atoms)
    [before] = probe.evaluate([atoms])
    after = probe.outputs(loose_batch(probe))
    tight = probe.uncompiled_hard_batch(probe.model)
    worst = Worst()
    worst.compare("energy", after["energies"][0, :n], before["energies"], probe.label())
    worst.compare("forces", after["forces"][0, :n], before["forces"], probe.label())
    worst.compare("energy", after["energy"][0], tight["energy"][0], " of the structure with other padding")
    if atoms.pbc.all():
        worst.compare("stress", after["stress"][0], before["stress"])
    for name, quantity in (("energies", "energy"), ("forces", "forces")):
        worst.compare(quantity, after[name][0, n:], np.zeros_like(after[name][0, n:]), " of padding atoms")
        worst.compare(quantity, after[name][2:], np.zeros_like(after[name][2:]), " of a padding structure")
    worst.compare("energy", after["energy"][2:], np.zeros_like(after["energy"][2:]), " of a padding structure")
    return worst.result("padding", tolerance)


def loose_batch(probe):
    """The structure with another one beside it, neighbors beyond the cutoff, and padding that holds random numbers."""
    atoms = probe.structure
    other = atoms.copy()
    other.positions += probe.rng.normal(scale=0.02, size=(len(atoms), 3))
    batch = probe.batch([atoms, other], probe.shape, reach=probe.reach)
    empty = batch["species"] < 0
    batch["positions"][empty] = probe.rng.normal(scale=3.0, size=(empty.sum(), 3))
    empty = batch["neighbors"] < 0
    batch["shifts"][empty] = probe.rng.integers(-2, 3, size=(empty.sum(), 3))
    return batch


def isolated_atoms(probe, tolerance=1e-9):
    """An atom without neighbors has a finite energy and no force, and changes nothing for the others.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure.copy()
    atoms.pbc = False
    far = atoms.positions.max(axis=0) + 3.0 * probe.cutoff
    lonely = Atoms(probe.species, [far + [2.0 * probe.cutoff * index, 0, 0] for index in range(len(probe.species))])
    before, after, alone = probe.evaluate([atoms, atoms + lonely, lonely])
    n = len(atoms)
    worst = Worst()
    worst.compare("energy", after["energies"][:n], before["energies"], probe.label())
    worst.compare("forces", after["forces"][:n], before["forces"], probe.label())
    worst.compare("energy", after["energies"][n:], alone["energies"], probe.label(lonely))
    for result in (after["forces"][n:], alone["forces"]):
        worst.compare("forces", result, np.zeros_like(result), probe.label(lonely))
    return worst.result("isolated atoms", tolerance)


def random_rotation(rng):
    """A rotation matrix, uniform among all."""
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.linalg.det(matrix)


def _turned(probe, name, tolerance, sign):
    atoms = probe.structure
    turn = sign * random_rotation(probe.rng)
    turned = atoms.copy()
    turned.positions = atoms.positions @ turn
    turned.cell[:] = atoms.cell.array @ turn
    before, after = probe.evaluate([atoms, turned])
    worst = Worst()
    worst.compare("energy", after["energies"], before["energies"], probe.label())
    worst.compare("forces", after["forces"], before["forces"] @ turn, probe.label())
    if atoms.pbc.all():
        worst.compare("stress", _matrix(after["stress"]), turn.T @ _matrix(before["stress"]) @ turn)
    return worst.result(name, tolerance)


def _matrix(stress):
    xx, yy, zz, yz, xz, xy = stress
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
