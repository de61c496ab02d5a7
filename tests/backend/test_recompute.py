"""Steps of a loop that are computed again in reverse."""

import keras
import numpy as np
import pytest

from keras_ff import backend
from keras_ff.backend import jit, scan


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


# scan


VELOCITY = np.array([0.3, 0.5])


@pytest.mark.skipif(backend.backend_name() == "jax", reason="TensorFlow cannot trace every use of a variable")
def test_a_checkpointed_step_that_uses_a_variable_inside_another_loop_is_refused():
    variable = keras.Variable(np.float64(0.7))

    def step(q, _):
        return scan(lambda c, _: (c * variable, None), q, length=2)[0], None

    with pytest.raises(NotImplementedError, match="checkpoint=False"):
        jit(lambda q: scan(step, q, length=2, checkpoint=True)[0])(VELOCITY)
