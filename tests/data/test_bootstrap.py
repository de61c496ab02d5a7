"""Samples of a bootstrap."""

import numpy as np
import pytest

from keras_ff.data.bootstrap import bootstrap_counts


def test_samples_of_a_bootstrap_have_the_statistics_of_drawing_with_replacement():
    counts = np.array([bootstrap_counts(0, index, 50) for index in range(400)])
    assert counts.mean() == pytest.approx(1.0, abs=0.03)
    # The part of structures that a sample lacks.
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.015)
