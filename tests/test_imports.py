"""Who imports whom, what `import keras_ff` brings along, and the number and size of names and files."""

import ast
import importlib
import os
import re
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_ff"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
PACKAGES = sorted(".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py"))

# A module may import those of a lower number, and those of its own package. `plots` is a helper of the tools.
ORDER = {
    "arguments": 0,
    "choose_backend": 0,
    "files": 0,
    "forks": 0,
    "backend": 1,
    "stateless": 1,
    "geometry": 2,
    "losses": 2,
    "optimizers": 2,
    "metrics": 3,
    "layers": 3,
    "potentials": 4,
    "training": 5,
    "simulation": 5,
    "models": 6,
    "interfaces": 7,
    "plots": 7,
    "testing": 7,
    "export": 8,
    "properties": 8,
    "active": 9,
    "fitting": 9,
}
# Readers, neighbor lists and batches know nothing of models; what moves atoms and what follows may use them.
DATA_IMPORTS = {"numpy", "ase", "vesin", "h5py", "keras", "pymatgen", "tqdm", "monty", "scipy"}
USE_DATA = ORDER["simulation"]

# Public names of all packages together; a new one has to be worth it.
MOST_NAMES = 260


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


@cache
def imports(path):
    """Absolute names of all modules that a file imports, also within functions, and also by a string."""
    found = set()
    package = ".".join(path.relative_to(ROOT).parts[:-1]) if path.is_relative_to(ROOT) else ""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            module = (base + (node.module or "")).removesuffix(".")
            found |= {f"{module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Call) and node.args and _name(node.func) in ("import_module", "__import__"):
            found |= {_beginning(node.args[0])} - {""}
    return found


def _name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def _beginning(node):
    """What is known of a string: all of a constant, of an f-string what stands before its first value."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def part(name):
    """The part of keras_ff that a module name belongs to, or None."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "keras_ff" and len(pieces) > 1 else None


def home(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def file_of(name):
    """The source file of a module of keras_ff, or of the module that an imported name is in; None for other modules."""
    pieces = name.split(".")
    for count in (len(pieces), len(pieces) - 1):
        path = ROOT.joinpath(*pieces[:count])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if count and pieces[0] == "keras_ff" and candidate.is_file():
                return candidate
    return None


def reached(start):
    """All files of keras_ff that some files import, directly or through others, and the way there."""
    ways = {path: [path] for path in start}
    todo = list(start)
    while todo:
        path = todo.pop()
        for name in sorted(imports(path)):
            other = file_of(name)
            if other is not None and other not in ways and other != PACKAGE / "__init__.py":
                ways[other] = [*ways[path], other]
                todo.append(other)
    return ways


def test_imports_by_a_string_are_seen(tmp_path):
    lines = (
        "import importlib",
        "from importlib import import_module",
        "def late(name):",
        "    import_module('keras_ff.models')",
        "    importlib.import_module(f'keras_ff.training.{name}')",
        "    importlib.import_module(name)",
    )
    (tmp_path / "module.py").write_text("\n".join(lines))
    assert {part(name) for name in imports(tmp_path / "module.py")} == {None, "models", "training"}


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_imports_point_in_one_direction(path):
    own = home(path)
    if own in ("__init__", "__main__"):
        return
    others = {part(name) for name in imports(path)} - {None, own}
    if own == "data":
        outside = {name.split(".")[0] for name in imports(path)} - {"keras_ff"}
        unexpected = outside - DATA_IMPORTS - set(sys.stdlib_module_names)
        assert not others - {"arguments", "files"} and not unexpected, f"data imports {others | unexpected}"
        return
    assert own in ORDER, f"{path.name} has no place in the order of imports"
    for other in others - {"data"}:
        assert other in ORDER and ORDER[other] < ORDER[own], f"{own} imports {other}"
    if "data" in others:
        assert ORDER[own] >= USE_DATA, f"{own} imports data"


@pytest.mark.parametrize("path", [*SOURCES, *TOOLS], ids=names([*SOURCES, *TOOLS]))
def test_only_backend_and_export_import_jax_or_tensorflow(path):
    # What runs artifacts stands on its own.
    if path.is_relative_to(PACKAGE) and (home(path) in ("backend", "export") or path == PACKAGE / "interfaces" / "artifact.py"):
        return
    assert not {name.split(".")[0] for name in imports(path)} & {"jax", "jaxlib", "tensorflow", "torch"}


@pytest.mark.parametrize("folder", ["properties", "simulation"])
def test_properties_and_simulation_know_no_class_of_ours(folder):
    """Not through other modules either."""
    for path, way in reached(sorted((PACKAGE / folder).rglob("*.py"))).items():
        assert home(path) not in ("models", "potentials"), " -> ".join(names(way))


def test_import_is_quick_and_needs_nothing():
    """Neither Keras nor its backend: they are imported at the first use of what needs them."""
    heavy = ("keras", "jax", "tensorflow", "numpy", "ase", "vesin", "pymatgen", "h5py")
    program = f"import sys, keras_ff; print(*[name for name in {heavy} if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split()


def test_the_names_of_the_package_are_all_there():
    import keras_ff

    assert len(keras_ff.__all__) <= 70
    for name in keras_ff.__all__:
        assert getattr(keras_ff, name) is not None
    public = {home(path) for path in SOURCES} - {
        "__init__",
        "__main__",
        "arguments",
        "choose_backend",
        "files",
        "forks",
        "stateless",
    }
    assert public <= set(keras_ff.__all__) <= set(dir(keras_ff))
    with pytest.raises(AttributeError, match="Potentials"):
        keras_ff.Potentials  # noqa: B018


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_of_a_package_exist_and_differ_by_more_than_their_spelling(name):
    module = importlib.import_module(name) if name not in ("keras_ff.backend.jax", "keras_ff.backend.tensorflow") else None
    public = getattr(module, "__all__", [])
    assert len(set(public)) == len(public)
    for word in public:
        assert getattr(module, word) is not None and not word.startswith("_")
    spelled = [word.replace("_", "").lower() for word in public]
    twice = sorted(word for word, plain in zip(public, spelled) if spelled.count(plain) > 1)
    assert not twice


@pytest.mark.parametrize("name", [name for name in PACKAGES if ".backend." not in name])
def test_no_module_is_hidden_by_a_name_of_its_package(name):
    """`import keras_ff.data.labels` would be a module, and `keras_ff.data.labels` a function."""
    package = importlib.import_module(name)
    modules = {path.stem for path in Path(package.__file__).parent.iterdir() if path.suffix in ("", ".py")}
    assert not [word for word in modules if not isinstance(getattr(package, word, package), types.ModuleType)]


def test_public_names_are_few():
    count = sum(len(getattr(importlib.import_module(name), "__all__", [])) for name in PACKAGES if ".backend." not in name)
    assert count <= MOST_NAMES


def test_everything_public_in_the_backend_is_used_outside_of_it():
    from keras_ff import backend

    used = set()
    for path in [*SOURCES, *TOOLS]:
        if path.is_relative_to(PACKAGE / "backend"):
            continue
        tree = ast.parse(path.read_text())
        used |= {name.rpartition(".")[2] for name in imports(path) if name.startswith("keras_ff.backend.")}
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _name(node.value) == "backend"}
    # Users call it.
    used.add("enable_float64")
    assert not set(backend.__all__) - used


def test_private_modules_of_keras_and_the_backends_are_imported_in_the_backend_alone():
    private = re.compile(r"keras\.src|jax\._src|tensorflow\.(python|compiler)|tf\.__internal__")
    for path in [*SOURCES, *TOOLS]:
        code = "\n".join(line for line in path.read_text().splitlines() if "import" in line or "__internal__" in line)
        # The names of this one are of use to exports alone, and a comment says what breaks without them.
        beside = path == PACKAGE / "export" / "saved_model_jax.py"
        assert not private.search(code) or home(path) == "backend" or beside, path


@pytest.mark.parametrize("path", [*SOURCES, *TOOLS], ids=names([*SOURCES, *TOOLS]))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


def test_every_package_is_installed():
    """pyproject.toml lists the packages by hand."""
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    # Benchmarks stay in the repository.
    assert {*PACKAGES, "keras_ff_tools", "keras_ff_tools.run"} == listed


def test_most_files_have_a_test_at_the_mirrored_path():
    """tests/a/test_b.py for keras_ff/a/b.py; a file of one of the backends is tested through the interface, tests/backend."""
    files = [path for path in [*SOURCES, *TOOLS] if path.name != "__init__.py"]
    untested = []
    for path in files:
        folders = path.parent.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).parts
        if folders in (("backend", "jax"), ("backend", "tensorflow")):
            folders = ("backend",)
        if not ROOT.joinpath("tests", *folders, f"test_{path.name}").exists():
            untested.append(path)
    assert len(untested) <= 0.15 * len(files), names(untested)
