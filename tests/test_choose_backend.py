"""The backend is chosen, or refused, before Keras is imported."""

import json
import os
import subprocess
import sys

import pytest

from keras_ff import choose_backend


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A machine on which Keras is not imported yet; called with the installed backends."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # check_backend may set it; this restores it after the test.
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def install(*names, configured=None):
        monkeypatch.setattr(choose_backend, "is_installed", lambda name: name in names)
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured)

    return install


def test_without_any_choice_jax_comes_before_tensorflow(fresh):
    fresh("jax", "tensorflow")
    assert choose_backend.check_backend() == "jax"
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_without_any_choice_the_installed_one_is_taken(fresh):
    fresh("tensorflow")
    assert choose_backend.check_backend() == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_the_configuration_of_keras_counts_if_it_names_an_installed_one(fresh):
    fresh("jax", "tensorflow", configured=json.dumps({"backend": "tensorflow"}))
    assert choose_backend.check_backend() == "tensorflow"
    assert "KERAS_BACKEND" not in os.environ


def test_the_file_that_keras_writes_by_itself_is_no_choice(fresh, tmp_path):
    program = "import keras"  # A user who has begun on JAX, and installs TensorFlow for LAMMPS later.
    environment = {**os.environ, "KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert json.loads((tmp_path / "keras.json").read_text())["backend"] == "tensorflow"
    fresh("jax", "tensorflow")
    assert choose_backend.check_backend() == "jax"


@pytest.mark.parametrize("configured", ['{"backend": "tensorflow"}', '{"backend": "torch"}', "{broken", "[]"])
def test_the_configuration_of_keras_is_overruled_if_it_does_not(fresh, configured):
    fresh("jax", configured=configured)
    assert choose_backend.check_backend() == "jax"
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_the_environment_variable_comes_first(fresh):
    fresh("jax", "tensorflow", configured='{"backend": "jax"}')
    os.environ["KERAS_BACKEND"] = "tensorflow"
    assert choose_backend.check_backend() == "tensorflow"


@pytest.mark.parametrize("name", ["torch", "numpy", "openvino", "Jax"])
def test_another_backend_is_refused_by_name(fresh, name):
    fresh("jax", "tensorflow")
    os.environ["KERAS_BACKEND"] = name
    with pytest.raises(ValueError, match=f"jax and tensorflow.*KERAS_BACKEND.*'{name}'"):
        choose_backend.check_backend()


def test_a_missing_backend_names_what_to_install(fresh):
    fresh("jax")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with pytest.raises(ImportError) as error:
        choose_backend.check_backend()
    assert 'pip install "keras_ff[tensorflow]"' in str(error.value)
    assert "KERAS_BACKEND=jax" in str(error.value)


def test_no_backend_at_all_names_both(fresh):
    fresh()
    with pytest.raises(ImportError) as error:
        choose_backend.check_backend()
    assert 'pip install "keras_ff[jax]"' in str(error.value)
    assert 'pip install "keras_ff[tensorflow]"' in str(error.value)


def test_a_keras_that_was_imported_before_keeps_its_backend(fresh, monkeypatch):
    class Keras:
        class config:
            backend = staticmethod(lambda: "torch")

    fresh("jax", "tensorflow")
    monkeypatch.setitem(sys.modules, "keras", Keras)
    with pytest.raises(ValueError, match="imported before.*'torch'"):
        choose_backend.check_backend()
    Keras.config.backend = staticmethod(lambda: "tensorflow")
    assert choose_backend.check_backend() == "tensorflow"


def test_installed_means_a_package_and_not_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "no_such_backend").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert choose_backend.is_installed("json")
    assert not choose_backend.is_installed("no_such_backend")


def test_the_decision_imports_neither_keras_nor_a_backend():
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('choose_backend', {choose_backend.__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(module.check_backend())\n"
        "assert not {'keras', 'jax', 'tensorflow'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() in ("jax", "tensorflow")


def test_importing_the_package_with_another_backend_fails_at_once():
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run([sys.executable, "-c", "import keras_ff"], capture_output=True, text=True, env=environment)
    assert result.returncode != 0
    assert "keras_ff runs on the Keras backends jax and tensorflow" in result.stderr.strip().splitlines()[-1]
