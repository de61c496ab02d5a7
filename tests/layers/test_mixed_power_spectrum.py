"""Mixtures of elements: laws, what remains of FullPowerSpectrum, and elements that take the role of others."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood
from keras_ff.layers import Descriptor, FullPowerSpectrum, MixedPowerSpectrum
from keras_ff.testing import check_layer

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def environments():
    """Function from the species of neighbors to a neighborhood of two atoms with six neighbors at random."""
    vectors = np.random.default_rng(0).uniform(-1.7, 1.7, size=(2, 6, 3))

    def neighborhood(others):
        others = np.array(others, "int32").reshape(2, 6)
        return Neighborhood(vectors, np.ones((2, 6), bool), np.array([0, 1], "int32"), others, 3.2)

    return neighborhood


def features(layer, neighborhood):
    return ops.convert_to_numpy(layer(neighborhood))


@pytest.mark.slow_on_tensorflow
def test_laws():
    layer = MixedPowerSpectrum(3.2, 3, n_species=2, mixtures=1, triples=1)
    check_layer(layer, bulk("SiC", "zincblende", a=4.36))


def test_the_number_of_features_does_not_grow_with_the_elements():
    counts = [MixedPowerSpectrum(5.0, 6, n_species=count).n_features for count in (1, 4, 5, 20, 89)]
    assert counts == [91, 1204, 1204, 1204, 1204]


def test_few_elements_are_those_of_the_full_power_spectrum(environments):
    neighborhood = environments([0, 1] * 6)
    full, mixed = FullPowerSpectrum(3.2, 3, n_species=2), MixedPowerSpectrum(3.2, 3, n_species=2, triples=2)
    found = features(mixed, neighborhood)
    np.testing.assert_allclose(found[:, : full.n_features], features(full, neighborhood), rtol=1e-12)
    assert mixed.labels(["Si", "C"])[: full.n_features] == full.labels(["Si", "C"])
    assert found.shape[1] == mixed.n_features == len(set(mixed.labels(["Si", "C"])))
    assert [group.stop for group in mixed.groups] == [8, full.n_features, mixed.n_features]


def test_a_mixture_of_one_element_is_that_element(environments):
    layer = MixedPowerSpectrum(3.2, 2, n_species=3, mixtures=2)
    layer.mixing.assign([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    with_third, twice = environments([0, 1, 2, 0, 1, 2] * 2), environments([0, 1, 1, 0, 1, 1] * 2)
    full = features(FullPowerSpectrum(3.2, 2, n_species=3), with_third)
    kept = [n for n, name in enumerate(FullPowerSpectrum(3.2, 2, n_species=3).labels("ABC")) if "C" not in name]
    np.testing.assert_allclose(features(layer, with_third), full[:, kept], rtol=1e-12, atol=1e-14)
    layer.mixing.assign([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(features(layer, with_third), features(layer, twice), rtol=1e-12)


@pytest.mark.parametrize("known", [{"n_species": 2}, {"n_species": 3, "mixtures": 1}])
def test_a_twin_has_the_features_of_the_element_whose_role_it_takes(environments, known):
    layer = MixedPowerSpectrum(3.2, 3, triples=1, **known)
    others = np.arange(12) % layer.n_species
    extended, matrix, kept = layer.with_twins([*range(layer.n_species), 1])
    new = np.where(others == 1, layer.n_species, others)
    expected = features(layer, environments(others))
    np.testing.assert_allclose(features(extended, environments(new)), expected @ matrix.T, rtol=1e-12)
    np.testing.assert_allclose(features(extended, environments(others))[:, kept], expected, rtol=1e-12)


@pytest.mark.slow_on_tensorflow
def test_the_way_back_is_that_of_the_backend(environments):
    layer, neighborhood = MixedPowerSpectrum(3.2, 3, n_species=3, mixtures=2, triples=2), environments([0, 1, 2] * 4)
    slopes = np.random.default_rng(1).normal(size=(3, 2, layer.n_features))
    results = []
    for method in (layer.with_pullback, lambda neighborhood: Descriptor.with_pullback(layer, neighborhood)):

        def gradients(slopes, method=method):
            values, pullback = method(neighborhood)
            return values, pullback(slopes)

        results.append([ops.convert_to_numpy(x) for x in backend.jit(gradients)(slopes)])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"n_species": 2, "mixtures": 3}, "mixtures=3"), ({"mixtures": 0}, "mixtures=0"), ({"n_max": 2, "triples": 1}, "n_max=2")],
)
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MixedPowerSpectrum(**{"cutoff": 4.0, "n_max": 3, **wrong})
