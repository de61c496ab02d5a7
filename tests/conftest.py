"""What all tests share beside the conftest.py of the root: slow tests of TensorFlow, and double precision where one asks for it."""

import keras
import pytest

from keras_ff import backend


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items if backend.backend_name() == "tensorflow" else ():
        if item.get_closest_marker("slow_on_tensorflow"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def precision_of_before():
    """No module leaves double precision to the next."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def float64():
    """Double precision for one test; the policy of before comes back, and JAX stays able to compute in float64."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    backend.enable_float64()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
