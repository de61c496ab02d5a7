"""The package as a whole: the same names on both backends, float64, and training of a model that differentiates."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_ff import backend

FOLDER = Path(backend.__file__).parent
NAMES = """arccos arcsin arctan arctan2 backend_name ceil check_backend cond cos cosh custom_gradient data_parallel
enable_compilation_cache enable_float64 erfc floor grad hessian hvp jit jvp logaddexp mean mean_over_replicas norm process replicas
scan sin sinh softplus solve stop_gradient swish tan tanh value_and_grad var vjp vmap""".split()


@pytest.fixture(scope="module", autouse=True)
def float64():
    backend.enable_float64()


def syntax(name):
    return ast.parse((FOLDER / f"{name}.py").read_text())


def functions(name):
    """Public functions of a file: their arguments and docstrings."""
    return {
        node.name: (ast.dump(node.args), ast.get_docstring(node))
        for node in syntax(name).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def declared(name):
    for node in syntax(name).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return [item.value for item in node.value.elts if isinstance(item, ast.Constant)]


@pytest.mark.parametrize("suffix", ["", "_derivatives", "_distribution", "_math"])
def test_both_backends_have_the_same_names_arguments_and_docstrings(suffix):
    assert declared(f"jax{suffix}") == declared(f"tensorflow{suffix}") == sorted(declared(f"jax{suffix}"))
    jax, tensorflow = functions(f"jax{suffix}"), functions(f"tensorflow{suffix}")
    if not suffix:
        tensorflow |= functions("tensorflow_scan") | functions("tensorflow_cond")
    assert set(jax) == set(tensorflow) <= set(declared(f"jax{suffix}"))
    for name in jax:
        assert jax[name] == tensorflow[name], name
        assert jax[name][1], f"{name} has no docstring"


def test_the_package_exports_them_all():
    assert sorted(backend.__all__) == NAMES
    assert all(callable(getattr(backend, name)) and getattr(backend, name).__doc__ for name in NAMES)
    assert backend.backend_name() == keras.config.backend() == backend.check_backend()


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_a_backend_imports_only_itself(name):
    other = {"jax": "tensorflow", "tensorflow": "jax"}[name]
    for path in FOLDER.glob(f"{name}*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert all(imported.split(".")[0] != other for imported in names), path


def test_float64_twice_is_the_same_as_once():
    backend.enable_float64()
    backend.enable_float64()
    assert keras.config.floatx() == "float64"
    assert keras.config.dtype_policy().name == "float64"
    assert keras.backend.standardize_dtype(ops.convert_to_tensor(np.ones(2)).dtype) == "float64"


def test_float64_reaches_into_the_layers_of_keras():
    x = np.random.default_rng(0).normal(size=(4, 6))
    layer = keras.layers.LayerNormalization(epsilon=1e-3)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(keras.activations.tanh(ops.convert_to_tensor(x)), np.tanh(x), rtol=1e-14)
    np.testing.assert_allclose(keras.layers.Activation("tanh")(x), np.tanh(x), rtol=1e-14)
    loss = keras.losses.MeanSquaredError()(x, np.zeros_like(x))
    np.testing.assert_allclose(loss, np.mean(x**2), rtol=1e-14)


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
