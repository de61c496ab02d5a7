"""Comparison of a potential with numbers of LAMMPS, and of its parameter derivatives with differences."""

import gzip
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from keras import ops

from keras_ff import backend
from keras_ff.stateless import with_weights
from keras_ff.testing import Probe

FILES = Path(__file__).parent / "files"
FIVE_POINTS = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
# Steps and tolerances. The second is for the few places where a higher derivative jumps within the first, as at the inner cutoff of
# EDIP; rounding costs it a digit.
STEPS = ((1e-4, 1e-7), (2e-6, 1e-6))
# Atoms of a small structure.
SMALL = 64


def frames(name):
    """Structures of a file of `tests/potentials/files` with energy, forces and stress of LAMMPS."""
    with gzip.open(FILES / name, "rt", encoding="utf-8") as file:
        return read(file, ":", format="extxyz")


def two_elements(style, potential_file):
    """The structures of `STYLE_two_elements.xyz.gz` that LAMMPS computed with one parameter file."""
    found = [atoms for atoms in frames(f"{style}_two_elements.xyz.gz") if atoms.info["potential_file"] == potential_file]
    assert found, potential_file
    return found


def compare(potential, structures, energy=1e-9, forces=1e-8, stress=1e-9):
    """Assert energies (eV), forces (eV/Å) and, of crystals, stress (eV/Å³) of all structures within tolerances."""
    results = Probe(potential, structures[0], rattle=0.0).evaluate(structures)
    for atoms, result in zip(structures, results, strict=True):
        name = atoms.info["config_name"]
        assert abs(result["energy"] - atoms.get_potential_energy()) <= energy, name
        np.testing.assert_allclose(result["forces"], atoms.get_forces(), rtol=0, atol=forces, err_msg=name)
        if atoms.pbc.all():
            np.testing.assert_allclose(result["stress"], atoms.get_stress(), rtol=0, atol=stress, err_msg=name)


def energies_of(potential, structures):
    """Energies in eV, `(structures,)`, of structures as they are; their forces are not even compiled."""
    probe = Probe(potential, structures[0], rattle=0.0)
    return probe.energies(probe.batch(structures), probe.model)


def check_parameter_derivatives(potential, structures):
    """Assert that derivatives with respect to all entries of weights, in reverse mode, are finite and five-point differences.

    For each structure the function is its energy plus a random sum of its forces, so that its gradient goes through second
    derivatives.
    The tolerances are relative to the largest derivative of the structure, at least 1.
    """
    probe = Probe(potential, structures[0], rattle=0.0)
    model = probe.model
    rng = np.random.default_rng(0)

    def losses(values, batch, pull):
        found = with_weights(model, values, model.atomic, batch)
        return ops.sum(found["energies"], axis=1) + ops.sum(found["forces"] * pull, axis=(1, 2))

    def gradient(values, batch, pull):
        return backend.value_and_grad(lambda values: ops.sum(losses(values, batch, pull)))(values)[1]

    losses_of, gradient_of = backend.jit(losses), backend.jit(gradient)

    def reverse_of(atoms, pull):
        # Alone, among empty rows: gradients have one shape for the small structures and one for the large ones.
        small = len(atoms) <= SMALL
        similar = [other for other in structures if (len(other) <= SMALL) == small]
        if small not in shapes:
            shapes[small] = probe.batch(similar)["neighbors"].shape[1:]
        batch = probe.batch([atoms], (1, *shapes[small]))
        pull = np.pad(pull[: len(atoms)], [(0, shapes[small][0] - len(atoms)), (0, 0)])
        return [ops.convert_to_numpy(g) for g in gradient_of(start, batch, pull[None])]

    shapes = {}
    start = [ops.convert_to_numpy(weight) for weight in model.weights]
    for some in _groups(structures):
        batch = probe.batch(some)
        pull = rng.normal(size=(len(some), batch["positions"].shape[1], 3))
        with probe.float64():
            reverse = [reverse_of(atoms, row) for atoms, row in zip(some, pull)]
            largest = np.array([max(1.0, *(np.abs(g).max(initial=0.0) for g in gradients)) for gradients in reverse])
            for number, weight in enumerate(model.weights):
                for place in np.ndindex(*weight.shape) if weight.trainable else ():
                    found = np.array([gradients[number][place] for gradients in reverse])
                    assert np.isfinite(found).all(), weight.path
                    wrong = np.ones(len(some), bool)
                    for step, tolerance in STEPS:
                        expected = np.zeros(len(some))
                        for steps, factor in FIVE_POINTS if wrong.any() else ():
                            values = [array.copy() for array in start]
                            values[number][place] += steps * step
                            expected += factor * ops.convert_to_numpy(losses_of(values, batch, pull)) / step
                        error = np.abs(found - expected) / largest
                        wrong &= ~(error <= tolerance)
                    names = [atoms.info.get("config_name") for atoms in some]
                    assert not wrong.any(), [(names[index], weight.path, place, error[index]) for index in np.flatnonzero(wrong)]


def _groups(structures, pairs=200_000):
    """Structures of similar size together: few compilations and little padding."""
    order = sorted(structures, key=len)
    groups = [[order[0]]]
    for atoms in order[1:]:
        if len(atoms) > 2 * len(groups[-1][0]) + 8 or (len(groups[-1]) + 1) * len(atoms) * 60 > pairs:
            groups.append([])
        groups[-1].append(atoms)
    return groups


def check_second_derivatives(potential, name):
    """Assert the Hessian (eV/Å²) and the derivatives of the forces by strain (eV/Å) of `si_hessians.npz`.

    They were made by four-point differences of LAMMPS' forces, with errors of 1e-8.
    """
    known = np.load(FILES / "si_hessians.npz")
    atoms = Atoms("Si8", known[f"{name}_positions"], cell=known[f"{name}_cell"], pbc=True)
    probe = Probe(potential, atoms, rattle=0.0)
    batch = probe.batch([atoms])

    def pulled(moved, strain, pull):
        deformation = np.eye(3) + 0.5 * (strain + ops.transpose(strain))
        positions, cell = (ops.matmul(x, deformation) for x in (batch["positions"] + moved, batch["cell"]))
        return ops.sum(probe.model({**batch, "positions": positions, "cell": cell})["forces"] * pull)

    slopes = backend.jit(
        lambda pull: backend.value_and_grad(lambda x: pulled(*x, pull))((np.zeros((1, 8, 3)), np.zeros((3, 3))))[1]
    )
    with probe.float64():
        rows = [[ops.convert_to_numpy(x) for x in slopes(row.reshape(1, 8, 3))] for row in np.eye(24)]
    hessian = -np.array([row[0].ravel() for row in rows])
    by_strain = np.array([row[1][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] for row in rows]).T.reshape(6, 8, 3)
    np.testing.assert_allclose(hessian, known[f"{name}_hessian"], rtol=0, atol=5e-8)
    np.testing.assert_allclose(by_strain, known[f"{name}_dforce_dstrain_voigt"], rtol=0, atol=5e-7)
