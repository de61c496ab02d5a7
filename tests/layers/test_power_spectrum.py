"""Descriptors against numbers from outside: an independent reference, and 15 printed coefficients."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops

from keras_ff import backend
from keras_ff.data import dense, neighbor_list
from keras_ff.geometry import Neighborhood
from keras_ff.layers import FullPowerSpectrum, PowerSpectrum
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")

# Four neighbors in Å within 3.7711 Å, and their 15 coefficients in Å^-3 for n_max = 4, sorted; of the published NeuralIL code.
NEIGHBORS = [
    (1.3681827, -1.3103517, -1.3131874),
    (-1.5151760, 1.3360077, -1.3477119),
    (-1.3989598, -1.2973683, 1.3679189),
    (1.2279369, 1.3400378, 1.4797429),
]
COEFFICIENTS = [
    0.000416, 0.000514, 0.000580, 0.001099, 0.002311, 0.002641, 0.003456, 0.005239,
    0.031871, 0.099814, 0.106035, 0.138079, 0.367765, 0.483945, 0.654837,
]  # fmt: skip


def describe(layer, atoms, species, rows=None):
    """Features of some atoms of a structure."""
    i, j, shifts = neighbor_list(atoms, layer.cutoff)
    most = np.bincount(i).max()
    neighbors, shifts = dense(i, j, shifts.astype("float64"), len(atoms), most)
    vectors = atoms.positions[np.maximum(neighbors, 0)] + shifts @ atoms.cell.array - atoms.positions[:, None]
    types = np.array([species.index(symbol) for symbol in atoms.symbols], dtype="int32")
    rows = np.arange(len(atoms)) if rows is None else rows

    def features(vectors, is_neighbor, center, others):
        return layer(Neighborhood(vectors, is_neighbor, center, others, layer.cutoff))

    neighbors = neighbors[rows]
    result = backend.jit(features)(vectors[rows], neighbors >= 0, types[rows], types[np.maximum(neighbors, 0)])
    return ops.convert_to_numpy(result)


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parent / "files" / "ean_descriptors.npz") as file:
        return dict(file)


def test_ethylammonium_nitrate_agrees_with_an_independent_sum(reference):
    species = ["C", "H", "N", "O"]
    symbols = [species[index] for index in reference["types"]]
    atoms = Atoms(symbols, reference["positions"], cell=reference["cell"], pbc=True)
    layer = PowerSpectrum(float(reference["cutoff"]), int(reference["n_max"]), 4, dtype="float64")
    found = describe(layer, atoms, species, reference["atoms"]).reshape(reference["descriptors"].shape)
    # The reference may order the 15 coefficients in its own way, the same for all atoms and pairs.
    assert np.abs(np.sort(found, axis=-1) - np.sort(reference["descriptors"], axis=-1)).max() < 1e-10
    order = [np.abs(found - reference["descriptors"][..., [column]]).max(axis=(0, 1)).argmin() for column in range(15)]
    assert np.abs(found[..., order] - reference["descriptors"]).max() < 1e-10


def test_four_neighbors_have_the_printed_coefficients():
    atoms = Atoms("C5", [(0, 0, 0), *NEIGHBORS])
    found = describe(PowerSpectrum(3.7711, 4, dtype="float64"), atoms, ["C"], np.array([0]))
    np.testing.assert_allclose(np.sort(found[0]), COEFFICIENTS, atol=1e-6)


@pytest.mark.parametrize("kind", [PowerSpectrum, pytest.param(FullPowerSpectrum, marks=pytest.mark.slow_on_tensorflow)])
def test_laws(kind):
    structure = bulk("SiC", "zincblende", a=4.36, cubic=True)
    check_layer(kind(3.2, 2, n_species=2, dtype="float64"), structure, smoothness=2)


@pytest.mark.parametrize("kind", [PowerSpectrum, FullPowerSpectrum])
def test_every_feature_has_a_name_and_a_group(kind):
    layer = kind(3.0, 3, n_species=2)
    atoms = bulk("SiC", "zincblende", a=4.36)
    assert describe(kind(3.0, 3, n_species=2, dtype="float64"), atoms, ["Si", "C"]).shape == (2, layer.n_features)
    names = layer.labels(["Si", "C"])
    assert len(set(names)) == len(names) == layer.n_features
    covered = np.concatenate([np.arange(layer.n_features)[group] for group in layer.groups])
    assert covered.tolist() == list(range(layer.n_features))


def test_full_power_spectrum_contains_the_published_one():
    """With one element, the products of a function with itself are among all products."""
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=0)
    published = describe(PowerSpectrum(4.0, 3, dtype="float64"), atoms, ["Si"])
    full = describe(FullPowerSpectrum(4.0, 3, dtype="float64"), atoms, ["Si"])
    for column in published.T:
        assert np.abs(full - column[:, None]).max(axis=0).min() < 1e-13


def test_no_species_is_refused():
    with pytest.raises(ValueError, match="n_species=0"):
        PowerSpectrum(4.0, 3, n_species=0)
