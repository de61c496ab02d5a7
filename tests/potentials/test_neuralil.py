"""NeuralIL: the laws, for one and for four elements; what `adapt` does; refused arguments."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops

from keras_ff.layers import MLP, PowerSpectrum
from keras_ff.potentials import NeuralIL
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

# Ethylammonium nitrate in miniature: four elements, bonds of real lengths.
FOUR_ELEMENTS = Atoms(
    "CHNO",
    [[0.0, 0.0, 0.0], [1.1, 0.1, 0.0], [-0.3, 1.4, 0.2], [-0.6, 2.0, 1.3]],
    cell=[4.5, 4.8, 5.1],
    pbc=True,
)


@pytest.mark.slow_on_tensorflow
def test_laws_for_one_element():
    check_potential(NeuralIL(["Si"], cutoff=4.0, n_max=2), bulk("Si", cubic=True), smoothness=2)


def test_laws_of_the_published_model_for_four_elements():
    """With a narrower and flatter network: what is compiled grows with its depth."""
    descriptor = PowerSpectrum(3.5, 2, n_species=4)
    network = MLP(descriptor.n_features + 2, units=(8, 4))
    check_potential(NeuralIL(["C", "H", "N", "O"], descriptor=descriptor, network=network), FOUR_ELEMENTS, smoothness=2)


def test_the_same_seed_gives_the_same_weights():
    first, same, other = (NeuralIL(["Si"], n_max=2, seed=seed).get_weights() for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


def test_adapt_gives_energies_of_the_scale_asked_for():
    potential = NeuralIL(["Si"], cutoff=4.0, n_max=2)
    features = np.random.default_rng(0).normal(3.0, 0.01, size=(50, potential.descriptor.n_features))
    features[:, 0] = 1.0
    potential.adapt(features, np.zeros(50, int), np.array([0.7]))
    assert float(ops.convert_to_numpy(potential.energy_scale)) == pytest.approx(0.7, rel=1e-14)
    np.testing.assert_allclose(ops.convert_to_numpy(potential.feature_mean), features.mean(axis=0), rtol=1e-12)
    projection = ops.convert_to_numpy(potential.projection)
    assert np.isfinite(projection).all() and np.linalg.matrix_rank(projection) == len(projection)


def test_adapted_inputs_are_uncorrelated_and_half_way_to_equal_spread():
    potential = NeuralIL(["Si"], cutoff=4.0, n_max=2)
    rng = np.random.default_rng(0)
    size = potential.descriptor.n_features
    features = rng.normal(size=(500, size)) @ rng.normal(size=(size, size))
    potential.adapt(features, np.zeros(500, int), np.array([1.0]))
    inputs = (features - features.mean(axis=0)) @ ops.convert_to_numpy(potential.projection)[:size, :size]
    covariance = np.cov(inputs, rowvar=False)
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(covariance, np.diag(spread**2), atol=1e-9 * spread.max() ** 2)
    units = np.empty(size)
    for group in potential.descriptor.groups:
        units[group] = np.sqrt(features[:, group].var(axis=0).mean())
    variances = np.linalg.eigvalsh(np.cov(features / units, rowvar=False))
    np.testing.assert_allclose(np.sort(spread) ** 4 / variances, np.mean(spread**4 / variances), rtol=1e-2)


def test_elements_are_told_apart():
    potential = NeuralIL(["C", "Si"], cutoff=3.0, n_max=2)
    probe = Probe(potential, bulk("Si"))
    carbon, silicon = probe.evaluate([Atoms("C"), Atoms("Si")])
    assert abs(carbon["energy"] - silicon["energy"]) > 1e-6


@pytest.mark.parametrize("species, cutoff", [([], 4.0), (["Si", "Si"], 4.0), (["Si"], -1.0), (["Si"], float("inf"))])
def test_impossible_arguments_are_refused(species, cutoff):
    with pytest.raises(ValueError, match="Received"):
        NeuralIL(species, cutoff=cutoff)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="inputs"):
        NeuralIL(["Si"], n_max=2, network=MLP(3))
    with pytest.raises(ValueError, match="2 species"):
        NeuralIL(["Si"], descriptor=PowerSpectrum(4.0, 2, n_species=2))
