"""The laws of potentials. Each takes a `Probe` and returns a `LawResult`."""

import numpy as np
from ase import Atoms

from keras_ff.data import neighbor_list
from keras_ff.testing.law import Worst

# Weights of f(x - 2h), f(x - h), f(x + h), f(x + 2h), times 1/h.
FIVE_POINTS = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
STEP = 1e-3
STRAIN = 1e-4
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def forces_are_derivatives(probe, atoms_moved=4, tolerance=1e-6):
    """Forces equal minus the five-point differences of the energy, for a few atoms along random directions.

    The atoms are those without a neighbor near the cutoff, where a potential may have a kink in its third derivative.
    """
    atoms = probe.structure
    chosen = np.argsort(-_distance_to_cutoff(probe))[:atoms_moved]
    directions = _unit_vectors(probe.rng, len(chosen))
    moved = []
    for index, direction in zip(chosen, directions):
        for steps, _ in FIVE_POINTS:
            moved.append(atoms.copy())
            moved[-1].positions[index] += steps * STEP * direction
    center, *results = probe.evaluate([atoms, *moved])
    worst = Worst()
    expected = _differences(results, center, STEP)
    scale = np.abs(center["forces"]).max()
    for index, direction, value in zip(chosen, directions, expected):
        where = f" of atom {index} ({atoms.symbols[index]}) along {np.round(direction, 3).tolist()}"
        # The largest force goes along, as it sets the scale.
        worst.compare("forces", [center["forces"][index] @ direction, scale], [-value, scale], where)
    return worst.result("forces are derivatives", tolerance)


def stress_is_a_derivative(probe, tolerance=1e-6):
    """Stress equals the five-point differences of the energy by strain, over the volume. Needs three lattice vectors."""
    atoms = probe.structure
    if not atoms.pbc.all():
        return Worst("Not periodic in three directions: nothing to compare.").result("stress is a derivative", tolerance)
    strained = []
    for a, b in VOIGT:
        for steps, _ in FIVE_POINTS:
            strain = np.zeros((3, 3))
            strain[a, b] += 0.5 * steps * STRAIN
            strain[b, a] += 0.5 * steps * STRAIN
            strained.append(atoms.copy())
            strained[-1].set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            # scale_atoms goes through fractional coordinates and loses nothing here, as the cell is complete.
    center, *results = probe.evaluate([atoms, *strained])
    expected = _differences(results, center, STRAIN) / atoms.get_volume()
    worst = Worst()
    worst.compare("stress", center["stress"], expected, lambda index: f", component {'xx yy zz yz xz xy'.split()[index[0]]}")
    return worst.result("stress is a derivative", tolerance)


def rotation(probe, tolerance=1e-9):
    """A rotated structure has the same energies and rotated forces and stress."""
    return _turned(probe, "rotation", tolerance, 1.0)


def reflection(probe, tolerance=1e-9):
    """A mirrored structure has the same energies and mirrored forces and stress."""
    return _turned(probe, "reflection", tolerance, -1.0)


def permutation(probe, tolerance=1e-9):
    """Atoms in another order have the same energies and forces."""
    atoms = probe.structure
    order = probe.rng.permutation(len(atoms))
    before, after = probe.evaluate([atoms, atoms[order]])
    worst = Worst()
    worst.compare("energy", after["energies"], before["energies"][order], probe.place(atoms[order]))
    worst.compare("forces", after["forces"], before["forces"][order], probe.place(atoms[order]))
    return worst.result("permutation", tolerance)


def translation(probe, tolerance=1e-9):
    """A structure elsewhere, also across the boundary of its cell, has the same energies, forces and stress."""
    atoms = probe.structure
    shifted, crossed = atoms.copy(), atoms.copy()
    shifted.positions += probe.rng.normal(size=3) * 5.0
    turns = probe.rng.integers(-2, 3, size=(len(atoms), 3)) * atoms.pbc
    crossed.positions += turns @ atoms.cell.array
    before, *others = probe.evaluate([atoms, shifted, crossed])
    worst = Worst()
    for after in others:
        _compare(worst, probe, after, before)
    return worst.result("translation", tolerance)


def supercell(probe, tolerance=1e-9):
    """A doubled cell has the same atomic energies, forces and stress. Without a cell, two copies out of reach do."""
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
    worst.compare("energy", after["energies"], np.tile(before["energies"], 2), probe.place(double))
    worst.compare("forces", after["forces"], np.tile(before["forces"], (2, 1)), probe.place(double))
    if atoms.pbc.all():
        worst.compare("stress", after["stress"], before["stress"])
    return worst.result("supercell", tolerance)


def padding(probe, tolerance=1e-9):
    """The rest of a batch changes nothing: another structure, and empty structures, atoms and neighbors, whatever they hold.

    Nor do atoms that are listed as neighbors and lie beyond the cutoff.
    """
    atoms = probe.structure
    other = atoms.copy()
    other.positions += probe.rng.normal(scale=0.02, size=(len(atoms), 3))
    tight = probe.batch([atoms])
    n = len(atoms)
    loose = probe.batch([atoms, other], probe.shape, reach=probe.reach)
    empty = loose["species"] < 0
    loose["positions"][empty] = probe.rng.normal(scale=3.0, size=(empty.sum(), 3))
    empty = loose["neighbors"] < 0
    loose["shifts"][empty] = probe.rng.integers(-2, 3, size=(empty.sum(), 3))
    before, after = probe.outputs(tight), probe.outputs(loose)
    worst = Worst()
    worst.compare("energy", after["energies"][0, :n], before["energies"][0], probe.place())
    worst.compare("forces", after["forces"][0, :n], before["forces"][0], probe.place())
    worst.compare("energy", after["energy"][0], before["energy"][0], " of the structure")
    if atoms.pbc.all():
        worst.compare("stress", after["stress"][0], before["stress"][0])
    for name, quantity in (("energies", "energy"), ("forces", "forces")):
        worst.compare(quantity, after[name][0, n:], np.zeros_like(after[name][0, n:]), " of padding atoms")
        worst.compare(quantity, after[name][2:], np.zeros_like(after[name][2:]), " of a padding structure")
    worst.compare("energy", after["energy"][2:], np.zeros_like(after["energy"][2:]), " of a padding structure")
    return worst.result("padding", tolerance)


def isolated_atoms(probe, tolerance=1e-9):
    """An atom without neighbors has a finite energy and no force, and changes nothing for the others."""
    atoms = probe.structure.copy()
    atoms.pbc = False
    far = atoms.positions.max(axis=0) + 3.0 * probe.cutoff
    lonely = Atoms(probe.species, [far + [2.0 * probe.cutoff * place, 0, 0] for place in range(len(probe.species))])
    before, after, alone = probe.evaluate([atoms, atoms + lonely, lonely])
    n = len(atoms)
    worst = Worst()
    worst.compare("energy", after["energies"][:n], before["energies"], probe.place())
    worst.compare("forces", after["forces"][:n], before["forces"], probe.place())
    worst.compare("energy", after["energies"][n:], alone["energies"], probe.place(lonely))
    for result in (after["forces"][n:], alone["forces"]):
        worst.compare("forces", result, np.zeros_like(result), probe.place(lonely))
    return worst.result("isolated atoms", tolerance)


def continuity(probe, order, tolerance=None):
    """Nothing jumps as a neighbor crosses a cutoff: the energy (order 0), the forces (1), their first derivatives (2).

    For each pair of species, and each cutoff of the terms of the potential, an atom
    with a companion at 0.6 of the cutoff sees another one cross it. Both limits are
    extrapolated from four points each.
    """
    name = ("energy", "forces", "force derivative")[order]
    title = f"continuity of {('the energy', 'the forces', 'the derivatives of the forces')[order]}"
    tolerance = tolerance or (1e-9, 1e-8, 1e-5)[order]
    step = 1e-4
    worst = Worst()
    for cutoff in probe.cutoffs:
        clusters, names = _clusters(probe, cutoff)
        inside = probe.evaluate([clusters(cutoff - place * step) for place in (1, 2, 3, 4)])
        outside = probe.evaluate([clusters(cutoff + place * step) for place in (1, 2, 3, 4)])
        limits = []
        for side, results in ((-1, inside), (1, outside)):
            values = np.array([r["energies"] if order == 0 else r["forces"] for r in results])
            if order < 2:
                limits.append(4 * values[0] - 6 * values[1] + 4 * values[2] - values[3])
            else:
                limits.append(side * (-2.5 * values[0] + 4 * values[1] - 1.5 * values[2]) / step)
        worst.compare(name, *limits, lambda index: f" in {names[index[0] // 3]} as the distance passes {cutoff:g} Å")  # noqa: B023
    return worst.result(title, tolerance)


def _clusters(probe, cutoff):
    """Function from a distance to one structure of a cluster for each pair of species, and the names of the clusters."""
    pairs = [(a, b) for place, a in enumerate(probe.species) for b in probe.species[place:]]
    gap = 3.0 * (probe.cutoff + cutoff)
    companion = 0.6 * cutoff * np.array([0.5, np.sqrt(0.75), 0.0])
    turn = _random_rotation(np.random.default_rng(1))

    def structure(distance):
        positions = [
            place * np.array([0.0, 0.0, gap]) + point @ turn
            for place in range(len(pairs))
            for point in (np.zeros(3), np.array([distance, 0.0, 0.0]), companion)
        ]
        return Atoms([symbol for a, b in pairs for symbol in (a, b, a)], positions)

    return structure, [f"a cluster {a}-{b} with a companion {a}" for a, b in pairs]


def _turned(probe, name, tolerance, sign):
    atoms = probe.structure
    turn = sign * _random_rotation(probe.rng)
    turned = atoms.copy()
    turned.positions = atoms.positions @ turn
    turned.cell[:] = atoms.cell.array @ turn
    before, after = probe.evaluate([atoms, turned])
    worst = Worst()
    worst.compare("energy", after["energies"], before["energies"], probe.place())
    worst.compare("forces", after["forces"], before["forces"] @ turn, probe.place())
    if atoms.pbc.all():
        worst.compare("stress", _matrix(after["stress"]), turn.T @ _matrix(before["stress"]) @ turn)
    return worst.result(name, tolerance)


def _compare(worst, probe, after, before):
    worst.compare("energy", after["energies"], before["energies"], probe.place())
    worst.compare("forces", after["forces"], before["forces"], probe.place())
    if probe.structure.pbc.all():
        worst.compare("stress", after["stress"], before["stress"])


def _differences(results, center, step):
    """Five-point derivatives of the energies of consecutive groups of four."""
    # Minus the energies of the center, atom by atom: the sum of small numbers keeps its digits.
    energies = np.array([np.sum(result["energies"] - center["energies"]) for result in results]).reshape(-1, 4)
    return energies @ [weight for _, weight in FIVE_POINTS] / step


def _distance_to_cutoff(probe):
    """For each atom, how far its nearest neighbor to a cutoff is from it, in Å."""
    atoms = probe.structure
    i, j, shifts = neighbor_list(atoms, probe.cutoff + 0.2)
    vectors = atoms.positions[j] - atoms.positions[i] + shifts @ atoms.cell.array
    distances = np.linalg.norm(vectors, axis=1)
    result = np.full(len(atoms), 0.2)
    for cutoff in probe.cutoffs:
        np.minimum.at(result, i, np.abs(distances - cutoff))
    return result


def _matrix(stress):
    xx, yy, zz, yz, xz, xy = stress
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _unit_vectors(rng, count):
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _random_rotation(rng):
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.linalg.det(matrix)
