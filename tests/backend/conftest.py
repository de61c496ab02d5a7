"""What tests of derivatives and transformations share."""

import pytest

from keras_ff.backend import jit


@pytest.fixture(params=["eager", "compiled"])
def run(request):
    """The function itself, or compiled."""
    return jit if request.param == "compiled" else (lambda function: function)
