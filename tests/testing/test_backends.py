"""The same model on both backends."""

import pytest
from trained_silicon import trained

from keras_ff.testing import Probe, backends_agree, other_backend


@pytest.mark.slow
@pytest.mark.skipif(other_backend() is None, reason="the other backend is not installed")
def test_a_trained_model_agrees_with_the_other_backend(tmp_path):
    model, structure = trained(epochs=20)
    model.save(tmp_path / "model.keras")
    result = backends_agree(Probe(model, structure), tmp_path / "model.keras")
    assert result.passed, str(result)
