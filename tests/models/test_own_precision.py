"""Precision belongs to the model: float64 is float64 everywhere in it, whatever the default of the process."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import precision_run
import pytest
from every_potential import POTENTIALS, structure
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.models.own_precision import in_dtype
from keras_ff.potentials import NeuralIL, StillingerWeber, Sum
from keras_ff.stateless import with_weights


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Results of a new process, which has float32 as its default, and of this one, after `enable_float64`."""
    folder = tmp_path_factory.mktemp("precision")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = [sys.executable, Path(__file__).with_name("precision_run.py"), "default", folder / "default.npz"]
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    precision_run.main("enabled", folder / "enabled.npz")
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    return {mode: dict(np.load(folder / f"{mode}.npz")) for mode in ("default", "enabled")}


def test_a_float64_model_needs_no_float64_default(fresh):
    """Energies, forces, stress, logs and weights after a step of training. The run also looks at defaults and float32 models."""
    assert {name.split()[0] for name in fresh["enabled"]} >= {"Sum", "log", "evaluated", "weight"}
    for name, value in fresh["enabled"].items():
        np.testing.assert_allclose(fresh["default"][name], value, rtol=1e-12, atol=1e-12, err_msg=name)
    for output in ("energy", "forces", "stress"):
        np.testing.assert_array_equal(fresh["default"][f"loaded {output}"], fresh["default"][f"Sum {output}"])


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow_on_tensorflow) for name in POTENTIALS])
def test_nothing_in_a_float64_model_is_computed_in_float32(name):
    potential = POTENTIALS[name]("float64")
    model = kff.ForceField(potential)
    batch = kff.data.Dataset([structure(potential)], model, batch_size=1, dtype="float64")[0][0]
    values = [ops.convert_to_tensor(weight.value) for weight in model.weights]

    def outputs(values, batch):
        return with_weights(model, values, model.atomic_at_once, batch)

    if backend.backend_name() == "jax":
        import jax

        text = str(jax.make_jaxpr(outputs)(values, batch))
        assert "f64[" in text and "f32[" not in text
    else:
        import tensorflow as tf

        tensors = {key: ops.convert_to_tensor(value) for key, value in batch.items()}
        graph = tf.function(outputs, autograph=False).get_concrete_function(values, tensors).graph
        found = [tensor for operation in graph.get_operations() for tensor in operation.outputs if tensor.dtype == tf.float32]
        # Empty shapes, and powers of two.
        assert {np.size(tf.get_static_value(tensor)) and float(tf.get_static_value(tensor)) for tensor in found} <= {0, 0.5, 1.0}


def test_a_model_has_the_dtype_of_its_potential():
    assert keras.config.floatx() == "float32"
    assert kff.ForceField(StillingerWeber.silicon(dtype="float64")).compute_dtype == "float64"
    assert kff.ForceField(Sum([StillingerWeber.silicon(dtype="float64")])).potential.compute_dtype == "float64"
    assert kff.ForceField(StillingerWeber.silicon()).compute_dtype == "float32"
    with pytest.raises(ValueError, match="one dtype. Received float64 and float32, of StillingerWeber"):
        kff.ForceField(StillingerWeber.silicon(), dtype="float64")
    with pytest.raises(ValueError, match="A Sum computes in one dtype. Received float32 and float64"):
        Sum([StillingerWeber.silicon(), NeuralIL(["Si"], dtype="float64")])


@pytest.mark.parametrize(
    "layer",
    [
        lambda dtype: kff.layers.SphericalBessel(4.0, 2, dtype=dtype),
        lambda dtype: kff.layers.CubicSpline(0.0, 1.0, [0.0, 1.0, 2.0], dtype=dtype),
        lambda dtype: kff.layers.MLP(3, dtype=dtype),
        lambda dtype: kff.layers.PowerSpectrum(4.0, 2, 1, dtype=dtype),
    ],
)
def test_a_layer_alone_prepares_the_backend(layer, monkeypatch):
    asked = []
    monkeypatch.setattr(backend, "prepare", asked.append)
    layer("float64")
    assert asked and {policy.name for policy in asked} == {"float64"}


def test_losses_and_metrics_follow_the_model_unless_their_dtype_was_named():
    mine, named, keras_own = kff.losses.LogCosh(p=2.0), kff.losses.MSE(dtype="float32"), keras.losses.MeanSquaredError()
    nest = {"energy": [mine, named], "forces": keras_own, "stress": ["mse", None]}
    changed = in_dtype(nest, "float64")
    assert [loss.dtype for loss in changed["energy"]] == ["float64", "float32"] and changed["forces"].dtype == "float64"
    assert changed["energy"][0].get_config() == mine.get_config() and mine.dtype == "float32"
    assert changed["energy"][1] is named and changed["stress"] == ["mse", None]
    value = changed["energy"][0](np.array([[0.1]]), np.array([[0.4]]))
    np.testing.assert_allclose(value, np.log(np.cosh(0.6)) / 2.0, rtol=1e-14)
    made = [kff.metrics.MeanAbsoluteError(), keras.metrics.Mean(), kff.metrics.MeanAbsoluteError(dtype="float32")]
    metrics = in_dtype(made, "float64")
    assert [metric.dtype for metric in metrics] == ["float64", "float64", "float32"]
    assert {variable.dtype for metric in metrics[:2] for variable in metric.variables} == {"float64"}
