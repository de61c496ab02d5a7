"""Model files: exact, whole, and refused with a reason where they are broken."""

import json
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.potentials import ZBL, NeuralIL, RepulsiveMorse, Sum
from keras_ff.testing import Probe, backends_agree, other_backend

FILES = Path(__file__).parent / "files"

pytestmark = pytest.mark.usefixtures("float64")


def model():
    potential = Sum([NeuralIL(["Si", "C"], cutoff=3.5, n_max=2, seed=3), RepulsiveMorse(["Si", "C"]), ZBL(["Si", "C"])])
    result = kff.ForceField(potential, name="silicon_carbide")
    result.reference_energies.assign([-5.4321, -9.876543210123])
    return result


@pytest.fixture
def path(float64, tmp_path):
    model().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def change_config(path, change):
    """Rewrite config.json within a model file."""
    copy = path.with_name("old.zip")
    shutil.move(path, copy)
    with zipfile.ZipFile(copy) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)


def test_a_round_trip_is_exact(tmp_path):
    original = model()
    original.save(tmp_path / "model.keras")
    copy = kff.load(tmp_path / "model.keras")
    assert copy.get_config() == original.get_config()
    for old, new in zip(original.get_weights(), copy.get_weights(), strict=True):
        assert old.dtype == new.dtype == np.float64
        np.testing.assert_array_equal(old, new)


def test_loading_and_converting_change_no_default(path):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    loaded = kff.load(path)
    single = kff.astype(loaded, "float32")
    assert loaded.potential.compute_dtype == "float64" and kff.astype(single, "float64").compute_dtype == "float64"
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    assert kff.load(path, dtype="float32").compute_dtype == kff.astype(loaded, "float32").potential.compute_dtype == "float32"
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float64"


def test_the_learning_rate_comes_back_with_all_digits_whatever_the_default(tmp_path):
    original = kff.ForceField(RepulsiveMorse(["Si"]))
    original.compile(optimizer=keras.optimizers.Adam(1e-3), loss={"forces": "mse"})
    original.save(tmp_path / "model.keras")
    with backend.default_dtype("float32"):
        copy = kff.load(tmp_path / "model.keras")
    assert float(copy.optimizer.learning_rate) == float(original.optimizer.learning_rate) == 1e-3


def test_load_converts(path):
    single = kff.load(path, dtype="float32")
    assert {weight.dtype for weight in single.weights} == {"float32"}
    assert single.potential.parts[0].descriptor.radial.series.dtype == np.float32
    with pytest.raises(ValueError, match="float16"):
        kff.load(path, dtype="float16")


def test_a_compiled_model_comes_back_compiled(tmp_path):
    original = kff.ForceField(RepulsiveMorse(["Si"]))
    original.compile(optimizer=keras.optimizers.Adam(1e-3), loss={"forces": "mse"})
    original.save(tmp_path / "model.keras")
    assert isinstance(kff.load(tmp_path / "model.keras").optimizer, keras.optimizers.Adam)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.keras"):
        kff.load(tmp_path / "nowhere.keras")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_refused(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match="not a complete model file"):
        kff.load(path)


def test_a_flipped_byte_is_found(path):
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        kff.load(path)


def test_a_newer_format_is_refused(path):
    change_config(path, lambda config: config["config"].update(format=99))
    with pytest.raises(ValueError, match="format 99"):
        kff.load(path)


def test_another_model_is_refused(tmp_path):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="holds a Sequential, not a ForceField"):
        kff.load(tmp_path / "other.keras")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model.keras").write_text("weights")
    with pytest.raises(ValueError, match="not a complete model file"):
        kff.load(tmp_path / "model.keras")


def test_an_unknown_potential_is_refused(path):
    def rename(config):
        part = config["config"]["potential"]
        part.update(class_name="Lost", registered_name="keras_ff>Lost", module="nowhere")

    change_config(path, rename)
    with pytest.raises(ValueError, match="could not be read"):
        kff.load(path)


def test_saving_does_not_replace_unless_allowed(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite"):
        model().save(path, overwrite=False)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.keras"]


@pytest.mark.skipif(other_backend() is None, reason="the other backend is not installed")
@pytest.mark.slow_on_tensorflow
def test_the_other_backend_gives_the_same_numbers_of_a_committee_too(tmp_path):
    network = NeuralIL(["Si", "C"], cutoff=3.5, n_max=1, seed=3, members=2)
    ensemble = kff.Ensemble(Sum([network, RepulsiveMorse(["Si", "C"]), ZBL(["Si", "C"])]))
    ensemble.reference_energies.assign([-5.4321, -9.876543210123])
    ensemble.save(tmp_path / "ensemble.keras")
    atoms = bulk("SiC", "zincblende", a=4.36)
    probe = Probe(ensemble, atoms)
    result = backends_agree(probe, tmp_path / "ensemble.keras", [probe.structure, atoms * (2, 1, 1)], tolerance=1e-10)
    assert result.passed, str(result)


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("version", [1, 2])
def test_compiled_models_of_all_formats_load(version):
    """Silicon carbide after one epoch, in float64: a sum in format 1, a committee with groups of learning rates in format 2."""
    known = np.load(FILES / f"format_{version}.npz")
    with backend.default_dtype("float32"):
        loaded = kff.load(FILES / f"format_{version}.keras")
    assert {weight.dtype for weight in loaded.weights} == {"float64"}
    assert int(ops.convert_to_numpy(loaded.optimizer.iterations)) == 1
    atoms = Atoms("SiC", known["positions"], cell=known["cell"], pbc=True)
    found = loaded.predict_on_batch(kff.data.Dataset([atoms], loaded, batch_size=1, dtype="float64")[0][0])
    for name in ("energy", "forces", "stress"):
        np.testing.assert_allclose(found[name], known[name], rtol=1e-9, atol=1e-10, err_msg=name)
