"""Errors that follow from the spread of a committee."""

import numpy as np
import pytest

from keras_ff.models import Isotonic, correlation, miscalibration, reliability

pytestmark = pytest.mark.usefixtures("float64")


def test_isotonic_regression_recovers_a_bent_law_and_never_falls():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 2.0, 20_000)
    error = rng.normal(size=spread.shape) * np.minimum(spread, 1.0)
    found = Isotonic.fit(spread, error)
    x = np.linspace(0.2, 1.9, 50)
    np.testing.assert_allclose(found(x), np.minimum(x, 1.0), rtol=0.1)
    assert (np.diff(found(np.linspace(0.0, 3.0, 200))) >= -1e-12).all() and found(0.0) == 0.0
    assert miscalibration(found(spread), error) < 0.02 < miscalibration(spread, error)
    predicted, true = reliability(spread, spread, bins=4)
    np.testing.assert_allclose(predicted, true)
    assert correlation(spread, -3.0 * spread) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="20000 spreads and 3 errors"):
        reliability(spread, error[:3])
