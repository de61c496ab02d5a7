"""One interface over two twin packages."""

import ast
import inspect
from pathlib import Path

import keras
import pytest

from keras_ff import backend
from keras_ff.backend.active import twin
from keras_ff.choose_backend import check_backend

FOLDER = Path(backend.__file__).parent
TWINS = {name: sorted(path.name for path in (FOLDER / name).glob("*.py")) for name in ("jax", "tensorflow")}


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


def functions(path):
    """Public functions of a file with their arguments."""
    return {
        node.name: [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def test_the_interface_has_the_docstrings():
    assert backend.__all__ == sorted(backend.__all__)
    for name in backend.__all__:
        function = getattr(backend, name)
        assert inspect.getdoc(function), name
        wrapped = inspect.unwrap(function)
        assert Path(wrapped.__code__.co_filename).parent == FOLDER, f"{name} is no function of the interface"
    assert backend.backend_name() == keras.config.backend() == check_backend()


def test_the_twins_have_the_same_names_and_arguments_in_files_of_the_same_names():
    only_tensorflow = {"gradients.py", "recompute.py"}
    assert set(TWINS["jax"]) == set(TWINS["tensorflow"]) - only_tensorflow
    for file in set(TWINS["jax"]) - {"arrays.py", "__init__.py"}:
        assert functions(FOLDER / "jax" / file) == functions(FOLDER / "tensorflow" / file), file
    jax, tensorflow = ((FOLDER / name / "__init__.py").read_text().partition("\n")[2] for name in TWINS)
    assert jax == tensorflow


def test_a_function_of_the_interface_has_the_arguments_of_its_twin():
    interface = {}
    for path in FOLDER.glob("*.py"):
        interface |= functions(path)
    for name in set(dir(twin)) & set(interface):
        parameters = inspect.signature(inspect.unwrap(getattr(twin, name))).parameters.values()
        own = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL]
        assert own == interface[name], name


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_a_backend_imports_only_itself(name):
    other = {"jax": "tensorflow", "tensorflow": "jax"}[name]
    for path in (FOLDER / name).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert all(imported.split(".")[0] != other for imported in names), path
