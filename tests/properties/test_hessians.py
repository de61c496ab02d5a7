"""Second and third derivatives against LAMMPS and finite differences, and training on them."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.fitting import Fit, Target
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import HessianProducts, hessian, third_order

pytestmark = pytest.mark.usefixtures("float64")

# Four-point differences of LAMMPS' forces, in eV/Å², with errors of 1e-8.
KNOWN = np.load(Path(__file__).parents[1] / "potentials" / "files" / "si_hessians.npz")


@pytest.fixture
def atoms():
    """Rattled and strained silicon."""
    return Atoms("Si8", KNOWN["sw_positions"], cell=KNOWN["sw_cell"], pbc=True)


def silicon(**options):
    return kff.ForceField(StillingerWeber.silicon(dtype="float64", **options), dtype="float64")


def test_hessian_has_the_numbers_of_lammps_in_chunks_that_do_not_divide_it(atoms):
    np.testing.assert_allclose(hessian(silicon(), atoms, chunk=9), KNOWN["sw_hessian"], rtol=0, atol=5e-8)


def test_third_order_is_the_second_difference_of_forces(atoms):
    model, step = silicon(), 2e-3
    found = third_order(model, atoms, indices=[5], chunk=30)
    assert found.shape == (3, 24, 24)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2), atol=1e-9)
    rng = np.random.default_rng(0)
    u, v = np.zeros((8, 3)), rng.normal(size=(8, 3))
    u[5] = rng.normal(size=3)
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    frames = [atoms.copy() for _ in signs]
    for frame, (a, b) in zip(frames, signs):
        frame.positions += step * (a * u + b * v)
    batcher = Batcher.of(model)
    outputs = backend.jit(model, layer=model)(batcher.exact([batcher.record(frame) for frame in frames]))
    forces = ops.convert_to_numpy(outputs["forces"])
    expected = -sum(a * b * force for force, (a, b) in zip(forces, signs)) / (4.0 * step**2)
    products = np.einsum("iab,i,a->b", found, u[5], v.ravel())
    np.testing.assert_allclose(products, expected.ravel(), atol=2e-3 * np.abs(expected).max())


@pytest.mark.slow_on_tensorflow
def test_products_with_the_hessian_train_a_model(atoms):
    displacements = np.random.default_rng(0).normal(size=(2, 8, 3))
    labels = np.einsum("iajb,djb->dia", KNOWN["sw_hessian"].reshape(8, 3, 8, 3), displacements)
    model = silicon(train=["epsilon", "lam"])
    exact = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    target = Target(HessianProducts(model, atoms, displacements), labels)
    np.testing.assert_allclose(target.before, labels, rtol=0, atol=1e-6)
    for weight in model.trainable_weights:
        weight.assign(0.8 * ops.convert_to_numpy(weight))
    Fit(model, {"curvature": target}).minimize(steps=30, verbose=0)
    for weight, value in zip(model.trainable_weights, exact):
        np.testing.assert_allclose(weight, value, rtol=1e-4)


def test_displacements_are_those_of_the_atoms(atoms):
    with pytest.raises(ValueError, match="Displacements are \\(displacements, 8, 3\\). Received shape \\(8, 3\\)"):
        HessianProducts(silicon(), atoms, np.zeros((8, 3)))
