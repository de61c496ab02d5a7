"""The package as a whole: one interface over two twin packages, and training of a model that differentiates."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

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
    for name in set(twin.__all__) & set(interface):
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


@keras.saving.register_keras_serializable("keras_ff_tests")
class Forces(keras.Model):
    """Forces of a small network on positions, and of a short relaxation by them."""

    def __init__(self, checkpoint):
        super().__init__()
        self.checkpoint = checkpoint
        self.hidden = keras.layers.Dense(4, activation="tanh")
        self.readout = keras.layers.Dense(1)

    def build(self, shape):
        self.hidden.build(shape)
        self.readout.build((*shape[:-1], 4))
        rng = np.random.default_rng(3)
        for weight in self.weights:
            weight.assign(rng.normal(size=weight.shape))
        self.built = True

    def energy(self, positions):
        return ops.sum(self.readout(self.hidden(positions)))

    def call(self, positions):
        gradient = backend.grad(self.energy)

        def step(positions, _):
            return positions - 0.1 * gradient(positions), None

        return {
            "forces": -gradient(positions),
            "relaxed": backend.scan(step, positions, length=3, checkpoint=self.checkpoint)[0],
        }


def losses_and_weights(checkpoint, jit_compile):
    x = np.random.default_rng(1).normal(size=(2, 3))
    model = Forces(checkpoint)
    model.build((2, 3))
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", jit_compile=jit_compile, run_eagerly=False)
    history = model.fit(x, {"forces": 0 * x, "relaxed": 0 * x}, epochs=3, batch_size=2, verbose=0, shuffle=False)
    return [*history.history["loss"], *np.concatenate([np.ravel(weight) for weight in model.get_weights()])]


def reference():
    """The same training in NumPy, with its gradient by five-point differences."""
    x = np.random.default_rng(1).normal(size=(2, 3))
    rng = np.random.default_rng(3)
    shapes = [(3, 4), (4,), (4, 1), (1,)]
    w = np.concatenate([rng.normal(size=shape).ravel() for shape in shapes])

    def loss(w):
        W, b, V = w[:12].reshape(3, 4), w[12:16], w[16:20]

        def gradient(x):
            return ((1 - np.tanh(x @ W + b) ** 2) * V) @ W.T

        relaxed = x
        for _ in range(3):
            relaxed = relaxed - 0.1 * gradient(relaxed)
        return np.mean(gradient(x) ** 2) + np.mean(relaxed**2)

    losses, h = [], 1e-3
    for _ in range(3):
        losses.append(loss(w))
        unit = h * np.eye(len(w))
        w = w - 0.05 * np.array([(8 * (loss(w + e) - loss(w - e)) - (loss(w + 2 * e) - loss(w - 2 * e))) / (12 * h) for e in unit])
    return [*losses, *w]


@pytest.mark.parametrize("checkpoint, jit_compile", [(False, True), (True, True), (True, False)])
def test_fit_differentiates_the_derivatives_and_scans_inside_a_model(checkpoint, jit_compile):
    np.testing.assert_allclose(losses_and_weights(checkpoint, jit_compile), reference(), rtol=1e-9, atol=1e-10)


def test_the_compilation_cache_fills_its_folder(tmp_path):
    program = (
        "import sys; from keras import ops; from keras_ff import backend\n"
        "backend.enable_compilation_cache(sys.argv[1])\n"
        "print(float(backend.jit(lambda x: ops.sum(x * x))(3.0)))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    folder = tmp_path / "some" / "cache"
    result = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "9.0"
    assert list(folder.iterdir())
