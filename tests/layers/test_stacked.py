"""Initial weights."""

import pytest
from keras import ops

from keras_ff.layers.stacked import LeCunNormal


def test_lecun_normal_has_the_variance_one_over_inputs():
    kernel = ops.convert_to_numpy(LeCunNormal(0)((400, 100), "float64"))
    assert kernel.var() == pytest.approx(1 / 400, rel=0.02) and abs(kernel.mean()) < 1e-3
