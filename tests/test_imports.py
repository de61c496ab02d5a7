"""Who imports whom, what `import keras_ff` brings along, and the size of names and files."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_ff"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A module may import those of a lower number, and those of its own package. `plots` is a helper of the tools.
ORDER = {
    "backend": 0,
    "choose_backend": -1,
    "files": 0,
    "stateless": 1,
    "losses": 1,
    "metrics": 2,
    "optimizers": 1,
    "geometry": 1,
    "layers": 2,
    "potentials": 3,
    "models": 4,
    "training": 5,
    "simulation": 5,
    "interfaces": 6,
    "testing": 6,
    "active": 8,
    "plots": 6,
    "export": 7,
    "properties": 7,
    "fitting": 8,
}
# Readers, neighbor lists and batches know nothing of models; models and what follows may use them.
DATA_IMPORTS = {"numpy", "ase", "vesin", "h5py", "keras", "pymatgen", "tqdm", "monty", "scipy"}


def imports(path):
    """Absolute names of all modules that a file imports, also within functions."""
    found = set()
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            module = base + (node.module or "")
            found |= {f"{module}.{name.name}" for name in node.names}
    return found


def part(name):
    """The part of keras_ff that a module name belongs to, or None."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "keras_ff" and len(pieces) > 1 else None


def home(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_in_one_direction(path):
    own = home(path)
    if own == "__init__":
        return
    others = {part(name) for name in imports(path)} - {None, own}
    if own == "data":
        outside = {name.split(".")[0] for name in imports(path)} - {"keras_ff"}
        unexpected = outside - DATA_IMPORTS - set(sys.stdlib_module_names)
        assert not others - {"files"} and not unexpected, f"data imports {others | unexpected}"
        return
    assert own in ORDER, f"{path.name} has no place in the order of imports"
    for other in others - {"data"}:
        assert other in ORDER and ORDER[other] < ORDER[own], f"{own} imports {other}"
    if "data" in others:
        assert ORDER[own] >= ORDER["models"], f"{own} imports data"


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tools").rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_backend_and_export_import_jax_or_tensorflow(path):
    # What runs artifacts stands on its own.
    if path.is_relative_to(PACKAGE) and (home(path) in ("backend", "export") or path == PACKAGE / "interfaces" / "artifact.py"):
        return
    assert not {name.split(".")[0] for name in imports(path)} & {"jax", "jaxlib", "tensorflow", "torch"}


def test_properties_and_simulation_know_no_class_of_ours():
    for folder in ("properties", "simulation"):
        for path in (PACKAGE / folder).rglob("*.py"):
            assert not {part(name) for name in imports(path)} & {"models", "potentials"}, path


def test_import_needs_keras_and_numpy_alone():
    program = "import sys, keras_ff; print(*[name for name in ('ase', 'vesin', 'pymatgen', 'h5py') if name in sys.modules])"
    # Keras itself imports h5py.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"h5py"}


def test_public_names_exist_and_are_few():
    import keras_ff

    assert len(keras_ff.__all__) <= 70
    for name in keras_ff.__all__:
        assert getattr(keras_ff, name) is not None
    with pytest.raises(AttributeError, match="Potentials"):
        keras_ff.Potentials  # noqa: B018


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tools").rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


def test_every_package_is_installed():
    """pyproject.toml lists the packages by hand."""
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    # Benchmarks stay in the repository.
    assert found | {"keras_ff_tools", "keras_ff_tools.run"} == listed
