import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.export import artifact
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import StillingerWeber

QUICKEST = {"jax": "stablehlo", "tensorflow": "saved_model"}[backend.backend_name()]


@pytest.fixture
def model(tmp_path):
    kff.ForceField(StillingerWeber.silicon()).save(tmp_path / "silicon.keras")
    return tmp_path / "silicon.keras"


@pytest.mark.slow_on_tensorflow
def test_the_artifact_lies_beside_the_model_and_was_compared_on_the_given_structures(model, keras_ff, tmp_path, monkeypatch):
    """The fresh process is that of tests/export."""
    compared = []

    def compare(model, folder, structures):
        compared.extend(structures)
        return {"energy": 1.25e-15, "gradient": 2e-14, "milliseconds": 0.5}

    monkeypatch.setattr(artifact, "compare", compare)
    crystal = bulk("Si", cubic=True)
    crystal.rattle(0.05, seed=0)
    crystal.write(tmp_path / "crystal.xyz")
    done = keras_ff("export", model, "--to", QUICKEST, "--dtype", "float64", "--structures", tmp_path / "crystal.xyz")
    assert done.status == 0, done.err
    assert f"{tmp_path / 'silicon'}: {QUICKEST}, float64, species Si, cutoff 3.77" in done.out
    assert "In a fresh process it differs from the model by at most 1.2e-15 eV and 2.0e-14 eV/Å for one atom" in done.out
    np.testing.assert_allclose([one.positions for one in compared], [crystal.positions], rtol=0, atol=1e-7)
    crystal.calc = ArtifactCalculator(tmp_path / "silicon")
    energy = crystal.get_potential_energy()
    crystal.calc = kff.Calculator(kff.load(model))
    assert energy == pytest.approx(crystal.get_potential_energy(), rel=1e-6)


def test_a_folder_that_holds_something_else_is_left_alone(model, keras_ff, tmp_path):
    done = keras_ff("export", model, "--out", tmp_path)
    assert done.status and "holds something else than an artifact" in done.err and model.exists()
