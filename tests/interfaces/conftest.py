"""An exported potential for all engines."""

import pytest

from keras_ff import ForceField, backend
from keras_ff.export import artifact
from keras_ff.potentials import StillingerWeber


@pytest.fixture(scope="session")
def silicon_artifact(tmp_path_factory):
    """Folder of Stillinger-Weber silicon in float64, of the kind that takes least time to write and read."""
    backend.enable_float64()
    folder = tmp_path_factory.mktemp("artifact") / "silicon"
    with pytest.MonkeyPatch.context() as patch:
        # The fresh process is that of the tests of exports.
        patch.setattr(artifact, "compare", lambda *args: {})
        artifact.export(
            ForceField(StillingerWeber.silicon()), folder, to="stablehlo" if backend.backend_name() == "jax" else "saved_model"
        )
    return folder
