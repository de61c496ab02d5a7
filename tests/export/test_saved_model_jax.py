"""Programs of JAX in graphs of TensorFlow, whose versions of StableHLO differ."""

import dataclasses

import numpy as np
import pytest

import keras_ff as kff
from keras_ff import backend

if backend.backend_name() != "jax":
    pytest.skip("SavedModels from TensorFlow hold no StableHLO", allow_module_level=True)

import jax
import jax.numpy as jnp
from programs import all_in_full

from keras_ff.export.artifact import function_of
from keras_ff.export.stablehlo import exported

saved_model_jax = pytest.importorskip("keras_ff.export.saved_model_jax", reason="It needs TensorFlow", exc_type=ImportError)


def program():
    """A `jax.export.Exported` of three arguments, one of them unused, for any number of rows."""
    (rows,) = jax.export.symbolic_shape("N")
    shape = jax.ShapeDtypeStruct((rows, 3), jnp.float32)

    def function(x, unused, y):
        return {"sum": jnp.cumsum(x, axis=0) + y, "norms": jnp.sqrt(jnp.sum(x**2, axis=-1))}

    return jax.export.export(jax.jit(function), platforms=("cpu", "cuda"))(shape, shape, shape)


@pytest.mark.parametrize("version", [None, "1.4.0"])
def test_tensorflow_computes_what_jax_does_whatever_version_it_reads(version, monkeypatch):
    if version:
        monkeypatch.setattr(saved_model_jax.of_tensorflow, "get_current_version", lambda: version)
    version = version or saved_model_jax.of_tensorflow.get_current_version()
    exported = program()
    code = saved_model_jax.for_tensorflow(exported.mlir_module_serialized)
    current = saved_model_jax.of_jax.get_current_version()
    assert f"StableHLO_v{saved_model_jax.of_jax.get_smaller_version(version, current)}".encode() in code
    x, y = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    results, expected = saved_model_jax.graph_function(exported)(x, y, y), exported.call(x, y, y)
    assert sorted(results) == ["norms", "sum"]
    for name in results:
        np.testing.assert_allclose(results[name], expected[name], rtol=1e-6)


@pytest.mark.parametrize("kind", [kff.ForceField, kff.Ensemble])
def test_programs_say_that_products_have_all_digits_of_float32(kind):
    members = {"members": 2} if kind is kff.Ensemble else {}
    model = kind(kff.potentials.NeuralIL(["Si"], cutoff=4.0, n_max=2, dtype="float32", **members))
    written = exported(model, function_of(model))
    assert all_in_full(written.mlir_module())
    # As TensorFlow gets it.
    code = saved_model_jax.for_tensorflow(written.mlir_module_serialized)
    assert all_in_full(dataclasses.replace(written, mlir_module_serialized=code).mlir_module())
