"""What all tests share beside the conftest.py of the root: slow tests of one backend, double precision, and exported potentials."""

import functools

import keras
import pytest

from keras_ff import ForceField, backend
from keras_ff.potentials import StillingerWeber

# The kind of artifact that takes least time to write and read.
QUICKEST = {"jax": "stablehlo", "tensorflow": "saved_model"}[backend.backend_name()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker(f"slow_on_{backend.backend_name()}"):
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


@pytest.fixture(scope="session")
def silicon_model():
    """Stillinger-Weber silicon in float64, which is not to be changed: what is compiled for one test serves the others."""
    return ForceField(StillingerWeber.silicon(dtype="float64"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Function that exports a potential, by default in float64, and as the kind of artifact that takes least time."""

    def write(potential, kind=QUICKEST, reference_energies=None, model=ForceField, dtype="float64"):
        # Deferred: most tests export nothing.
        from keras_ff.export import artifact

        folder = tmp_path_factory.mktemp("artifact") / "folder"
        model = model(potential)
        if reference_energies:
            model.reference_energies.assign(reference_energies)
        with pytest.MonkeyPatch.context() as patch:
            # The fresh process is that of some tests of exports.
            patch.setattr(artifact, "compare", lambda *args: {})
            artifact.export(model, folder, to=kind, dtype=dtype)
        return folder

    return write


@pytest.fixture(scope="session")
def silicon_of(exported):
    """Function from the kind of an artifact to the folder of Stillinger-Weber silicon, which is not to be changed."""
    return functools.cache(lambda kind: exported(StillingerWeber.silicon(), kind))


@pytest.fixture(scope="session")
def silicon_artifact(silicon_of):
    """Folder of Stillinger-Weber silicon, which is not to be changed."""
    return silicon_of(QUICKEST)
