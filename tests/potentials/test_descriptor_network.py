"""Parts that do not fit, and scales after `adapt`."""

import numpy as np
import pytest
from keras import ops

from keras_ff.layers import MLP, PowerSpectrum
from keras_ff.potentials import NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


def test_adapt_gives_energies_of_the_scale_asked_for():
    potential = NeuralIL(["Si"], cutoff=4.0, n_max=2)
    features = np.random.default_rng(0).normal(3.0, 0.01, size=(50, potential.descriptor.n_features))
    features[:, 0] = 1.0
    potential.adapt(features, np.zeros(50, int), np.array([0.7]))
    assert float(ops.convert_to_numpy(potential.energy_scale)) == pytest.approx(0.7, rel=1e-14)
    np.testing.assert_allclose(ops.convert_to_numpy(potential.feature_mean), features.mean(axis=0), rtol=1e-12)
    projection = ops.convert_to_numpy(potential.projection)
    assert np.isfinite(projection).all() and np.linalg.matrix_rank(projection) == len(projection)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="inputs"):
        NeuralIL(["Si"], n_max=2, network=MLP(3))
    with pytest.raises(ValueError, match="2 species"):
        NeuralIL(["Si"], descriptor=PowerSpectrum(4.0, 2, n_species=2))
