"""Inputs of a network after `adapt`."""

import numpy as np
import pytest
from keras import ops

from keras_ff.potentials import NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


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
