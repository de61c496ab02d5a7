"""What all tests share: the backend, its compilation cache, and double precision where a test asks for it."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras  # noqa: E402
import pytest  # noqa: E402

from keras_ff import backend  # noqa: E402

# Tests of losses and metrics train what those of the callbacks train.
sys.path.insert(0, str(Path(__file__).parent / "training"))

# TensorFlow does not ask with which flags a function was compiled.
CACHE = Path(__file__).parents[1] / ".cache" / ("with-flags" if os.environ.get("XLA_FLAGS") else "compiled")
backend.enable_compilation_cache(CACHE / backend.backend_name())
# The command line takes the same, not that of the user.
os.environ["KERAS_FF_CACHE"] = str(CACHE)


def pytest_report_header():
    from importlib.metadata import version

    name = backend.backend_name()
    flags = os.environ.get("XLA_FLAGS") or "no flags"
    return f"backend: {name} {version(name)}, keras {keras.__version__}, XLA with {flags}"


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
