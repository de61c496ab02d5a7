"""What tests and the examples in docstrings share: the compilation cache, and the rules for `pytest --doctest-modules keras_ff`."""

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

ROOT = Path(__file__).parent
# Not the cache of the user. TensorFlow does not ask with which flags a function was compiled.
os.environ["KERAS_FF_CACHE"] = str(ROOT / ".cache" / ("with-flags" if os.environ.get("XLA_FLAGS") else "compiled"))

# Keras imports those that are installed, and TensorFlow JAX, in a third of the time of its import. Tests that use them import them.
HIDDEN = {"sklearn", "pandas", "matplotlib", *(["jax"] if os.environ.get("KERAS_BACKEND") == "tensorflow" else [])}
HIDDEN -= sys.modules.keys()
sys.modules.update(dict.fromkeys(HIDDEN))

import keras  # noqa: E402

for module in HIDDEN:
    del sys.modules[module]

import numpy as np  # noqa: E402
import pytest  # noqa: E402

import keras_ff  # noqa: E402
from keras_ff import backend  # noqa: E402

# Tracing makes millions of objects that stay: looking for garbage among them as often as Python does takes a fifth of the time.
gc.freeze()
gc.set_threshold(100_000, 20, 50)

PACKAGE = ROOT / "keras_ff"

# Files whose examples fail so far, relative to keras_ff. Mend the example and remove the line; add none.
FAILING_EXAMPLES = set()


def pytest_report_header():
    """Name the versions that the tests run with."""
    from importlib.metadata import version

    name = backend.backend_name()
    flags = os.environ.get("XLA_FLAGS") or "no flags"
    return f"backend: {name} {version(name)}, keras {keras.__version__}, XLA with {flags}"


def pytest_ignore_collect(collection_path):
    """Of keras_ff only files with examples are imported, and of its backends only the one that runs."""
    if collection_path.suffix != ".py" or not collection_path.is_relative_to(PACKAGE):
        return None
    path = collection_path.relative_to(PACKAGE)
    other = {"jax": "tensorflow", "tensorflow": "jax"}[backend.backend_name()]
    of_the_other = path.parts[0] == "backend" and any(piece.startswith(other) for piece in path.parts)
    has_examples = ">>>" in collection_path.read_text(encoding="utf-8")
    # None leaves the decision to pytest.
    return True if of_the_other or not has_examples or path.as_posix() in FAILING_EXAMPLES else None


@pytest.fixture(autouse=True)
def names_and_precision_of_examples(request, doctest_namespace):
    """Examples may use `keras_ff`, `kff`, `keras`, `ops` and `np`; double precision that one sets does not reach the next."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    doctest_namespace.update(keras_ff=keras_ff, kff=keras_ff, keras=keras, ops=keras.ops, np=np)
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
