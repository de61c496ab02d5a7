"""Exported potentials for all engines."""

import pytest

from keras_ff import ForceField, backend
from keras_ff.export import artifact
from keras_ff.potentials import StillingerWeber


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Function that exports a potential in float64, by default as the kind of artifact that takes least time to write and read."""

    quickest = "stablehlo" if backend.backend_name() == "jax" else "saved_model"

    def write(potential, kind=quickest, reference_energies=None):
        folder = tmp_path_factory.mktemp("artifact") / "folder"
        model = ForceField(potential)
        if reference_energies:
            model.reference_energies.assign(reference_energies)
        with pytest.MonkeyPatch.context() as patch:
            # The fresh process is that of the tests of exports.
            patch.setattr(artifact, "compare", lambda *args: {})
            artifact.export(model, folder, to=kind, dtype="float64")
        return folder

    return write


@pytest.fixture(scope="session")
def silicon_artifact(exported):
    """Folder of Stillinger-Weber silicon."""
    return exported(StillingerWeber.silicon())
