"""The laws of derivatives with respect to positions and strain. Each takes a `Probe` and returns a `LawResult`."""

import itertools

import numpy as np
from ase import Atoms

from keras_ff.data import neighbor_list
from keras_ff.potentials import Ewald
from keras_ff.testing.law import LawResult, Worst
from keras_ff.testing.symmetry_laws import random_rotation

# Weights of f(x - 2h), f(x - h), f(x + h), f(x + 2h), times 1/h.
FIVE_POINTS = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
# Å, and strains. Where a higher derivative jumps, as at a knot of a spline or a cutoff, the error of a difference quotient grows
# with the step, and a derivative is its limit: what deviates with the first is looked at with the second.
STEPS = (1e-4, 2e-6)
# Å. Energies that went through float32 move in jumps of 1e-7 of their size, a tenth of the size in eV/Å with this step.
TINY = 1e-6
# Å, from the cutoff, and what follows where something seems to jump.
NEARER = (1e-4, 1e-6, 1e-8)
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def finite_numbers(probe, tolerance=0.0):
    """No energy, force or stress is NaN or infinite.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    [found] = probe.evaluate([atoms])
    names = ["energies", "forces", *(["stress"] if atoms.pbc.all() else [])]
    bad = [name for name in names if not np.isfinite(found[name]).all()]
    if bad:
        return LawResult("finite numbers", np.nan, tolerance, f"NaN or infinity in {', '.join(bad)}.")
    return LawResult("finite numbers", 0.0, tolerance, "All numbers are finite.")


def forces_are_derivatives(probe, atoms_moved=4, tolerance=1e-6):
    """Forces equal minus the five-point differences of the energy, for a few atoms along random directions.

    The atoms are those without a neighbor near the cutoff, where a potential may have a kink in its third derivative.

    Args:
        probe: The `Probe`.
        atoms_moved: Number of atoms that are moved, one by one.
        tolerance: Largest deviation that passes, relative to the largest force, or to 1 eV/Å.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    chosen = np.argsort(-_distance_to_cutoff(probe))[:atoms_moved]
    directions = _unit_vectors(probe.rng, len(chosen))

    def moved(number, length):
        copy = atoms.copy()
        copy.positions[chosen[number]] += length * directions[number]
        return copy

    def compare(worst, center, slopes, noise, numbers):
        # The largest force goes along, as it sets the scale.
        scale = np.abs(center["forces"]).max()
        for number, slope in zip(numbers, slopes):
            index, direction = chosen[number], directions[number]
            where = f" of atom {index} ({atoms.symbols[index]}) along {np.round(direction, 3).tolist()}"
            worst.compare("forces", [center["forces"][index] @ direction, scale], [-slope, scale], where, noise)

    return _compare_slopes(probe, moved, range(len(chosen)), compare, 1.0, tolerance).result("forces are derivatives", tolerance)


def stress_is_a_derivative(probe, tolerance=1e-6):
    """Stress equals the five-point differences of the energy with respect to strain, over the volume.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest component, or to 0.01 eV/Å³.

    Returns:
        `LawResult`. It holds without three lattice vectors, as there is nothing to compare.
    """
    atoms = probe.structure
    if not atoms.pbc.all():
        return Worst("Not periodic in three directions: nothing to compare.").result("stress is a derivative", tolerance)

    def strained(number, size):
        a, b = VOIGT[number]
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5 * size
        strain[b, a] += 0.5 * size
        copy = atoms.copy()
        # scale_atoms goes through fractional coordinates and loses nothing here, as the cell is complete.
        copy.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return copy

    def compare(worst, center, slopes, noise, numbers):
        expected = center["stress"].copy()
        expected[list(numbers)] = slopes
        worst.compare(
            "stress", center["stress"], expected, lambda index: f", component {'xx yy zz yz xz xy'.split()[index[0]]}", noise
        )

    worst = _compare_slopes(probe, strained, range(6), compare, 1.0 / atoms.get_volume(), tolerance)
    return worst.result("stress is a derivative", tolerance)


def double_precision(probe, tolerance=1e-5):
    """The energy follows displacements of 1e-6 Å: nothing on its way is rounded to float32.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes of the change of the energy, over the length of the displacement of all atoms in
            Å, relative to the largest force or to 1 eV/Å. What float32 rounds by is ten thousand times larger.

    Returns:
        `LawResult`.
    """
    atoms = probe.structure
    direction = _unit_vectors(probe.rng, len(atoms))
    moved = []
    for sign in (1, -1):
        moved.append(atoms.copy())
        moved[-1].positions += sign * TINY * direction
    center, after, before = probe.evaluate([atoms, *moved])
    slope = np.sum(after["energies"] - before["energies"]) / (2 * TINY)
    expected = -np.sum(center["forces"] * direction)
    scale = np.abs(center["forces"]).max()
    worst = Worst()
    where = f" over a displacement of {TINY:g} Å of all atoms"
    worst.compare("forces", [-slope, scale], [-expected, scale], where, _noise(center, 2 * TINY))
    return worst.result("double precision", tolerance)


def continuity(probe, order, tolerance=None):
    """Nothing jumps as a neighbor crosses a cutoff: the energy (order 0), the forces (1), their first derivatives (2).

    For each pair of species, and each cutoff of the terms of the potential, an atom
    with a companion at 0.6 of the cutoff sees another one cross it. Both limits are
    extrapolated from four points each. A function may end so steeply that this does not suffice, as the bond orders of Tersoff do,
    with a broken power of the distance to the cutoff: energy and forces that seem to jump are looked at from nearer, and pass if
    the jump becomes smaller and smaller.

    Args:
        probe: The `Probe`.
        order: 0, 1 or 2.
        tolerance: Largest deviation that passes, relative to the largest number or to 1 in eV and Å; by default 1e-9, 1e-8, 1e-5
            for the three orders, or ten times the `accuracy` of an `Ewald`, which is what it leaves out beyond its cutoff.

    Returns:
        `LawResult`.
    """
    title = f"continuity of {('the energy', 'the forces', 'the derivatives of the forces')[order]}"
    left_out = max((term.accuracy for term in probe.model.potential.terms() if isinstance(term, Ewald)), default=0.0)
    tolerance = tolerance or max((1e-9, 1e-8, 1e-5)[order], 10 * left_out)
    worst = Worst()
    for cutoff in probe.cutoffs:
        jumps = []
        for step in NEARER if order < 2 else NEARER[:1]:
            jumps.append(_jump(probe, cutoff, order, step))
            if jumps[-1].deviation <= tolerance:
                break
        shrinks = len(jumps) > 1 and all(b.deviation < 0.5 * a.deviation for a, b in itertools.pairwise(jumps))
        if not shrinks and not jumps[0].deviation <= worst.deviation:
            worst = jumps[0]
    return worst.result(title, tolerance)


def _jump(probe, cutoff, order, step):
    """The `Worst` of the differences between both limits, extrapolated from points at multiples of the step."""
    name = ("energy", "forces", "force derivative")[order]
    clusters, names = _clusters(probe, cutoff)
    limits = []
    for side in (-1, 1):
        results = probe.evaluate([clusters(cutoff + side * count * step) for count in (1, 2, 3, 4)])
        values = np.array([r["energies"] if order == 0 else r["forces"] for r in results])
        if order < 2:
            limits.append(4 * values[0] - 6 * values[1] + 4 * values[2] - values[3])
        else:
            limits.append(side * (-2.5 * values[0] + 4 * values[1] - 1.5 * values[2]) / step)
    worst = Worst()
    worst.compare(name, *limits, lambda index: f" in {names[index[0] // 3]} as the distance passes {cutoff:g} Å")
    return worst


def _compare_slopes(probe, displaced, numbers, compare, factor, tolerance):
    """The worst of several slopes of the energy; those that deviate with the first step are looked at with the second."""
    atoms = probe.structure
    kept = Worst()
    for step in STEPS:
        changed = [displaced(number, steps * step) for number in numbers for steps, _ in FIVE_POINTS]
        center, *results = probe.evaluate([atoms, *changed])
        slopes = factor * _differences(results, center, step)
        again = []
        for number, slope in zip(numbers, slopes):
            worst = Worst()
            compare(worst, center, [slope], factor * _noise(center, step), [number])
            if step == STEPS[-1] or worst.deviation <= tolerance:
                compare(kept, center, [slope], factor * _noise(center, step), [number])
            else:
                again.append(number)
        numbers = again
        if not numbers:
            break
    return kept


def _noise(center, step):
    """Rounding errors of a difference quotient: those of the atomic energies, a few units in their last digit, over the step."""
    return 4 * np.finfo("float64").eps * np.abs(center["energies"]).sum() / step


def _clusters(probe, cutoff):
    """Function from a distance to one structure of a cluster for each pair of species, and the names of the clusters."""
    pairs = [(a, b) for index, a in enumerate(probe.species) for b in probe.species[index:]]
    gap = 3.0 * (probe.cutoff + cutoff)
    companion = 0.6 * cutoff * np.array([0.5, np.sqrt(0.75), 0.0])
    turn = random_rotation(np.random.default_rng(1))

    def structure(distance):
        positions = [
            index * np.array([0.0, 0.0, gap]) + point @ turn
            for index in range(len(pairs))
            for point in (np.zeros(3), np.array([distance, 0.0, 0.0]), companion)
        ]
        return Atoms([symbol for a, b in pairs for symbol in (a, b, a)], positions)

    return structure, [f"a cluster {a}-{b} with a companion {a}" for a, b in pairs]


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


def _unit_vectors(rng, count):
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
