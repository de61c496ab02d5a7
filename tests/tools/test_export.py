import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import StillingerWeber


@pytest.fixture
def model(tmp_path):
    kff.ForceField(StillingerWeber.silicon()).save(tmp_path / "silicon.keras")
    return tmp_path / "silicon.keras"


@pytest.mark.slow_on_tensorflow
def test_the_artifact_lies_beside_the_model_and_was_compared_on_the_given_structures(model, keras_ff, tmp_path):
    crystal = bulk("Si", cubic=True)
    crystal.rattle(0.05, seed=0)
    crystal.write(tmp_path / "crystal.xyz")
    done = keras_ff("export", model, "--to", "saved_model", "--dtype", "float64", "--structures", tmp_path / "crystal.xyz")
    assert done.status == 0, done.err
    assert f"{tmp_path / 'silicon'}: saved_model, float64, species Si, cutoff 3.77" in done.out
    assert "In a fresh process it differs from the model by at most" in done.out
    crystal.calc = ArtifactCalculator(tmp_path / "silicon")
    energy = crystal.get_potential_energy()
    crystal.calc = kff.Calculator(kff.load(model))
    assert energy == pytest.approx(crystal.get_potential_energy(), rel=1e-6)


def test_a_folder_that_holds_something_else_is_left_alone(model, keras_ff, tmp_path):
    done = keras_ff("export", model, "--out", tmp_path)
    assert done.status and "holds something else than an artifact" in done.err and model.exists()
