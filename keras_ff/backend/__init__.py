"""Derivatives, transformations and precision with the same functions on JAX and TensorFlow.

`keras.ops` has the functions that layers are made of; those that it lacks,
mainly derivatives, are here. The functions take and return arrays of the active backend, or
dictionaries, lists and tuples of arrays; NumPy arrays and Keras variables are
converted.

The modules beside this one are the interface, with the docstrings; each of
their functions calls that of the same name in `jax` or `tensorflow`, two
packages with the same names of files. These two (with `export`) are the only
places that import a backend.
"""

from keras_ff.backend.derivatives import custom_gradient, grad, hvp, jvp, stop_gradient, value_and_grad, vjp
from keras_ff.backend.distribution import data_parallel, mean_over_replicas, process, replicas
from keras_ff.backend.elementary import erfc, softplus
from keras_ff.backend.kept import keep_compiled
from keras_ff.backend.loops import cond, map_rows, scan
from keras_ff.backend.precision import default_dtype, enable_float64, prepare
from keras_ff.backend.transformations import accelerated, backend_name, jit, peak_memory, vmap

__all__ = [
    "accelerated",
    "backend_name",
    "cond",
    "custom_gradient",
    "data_parallel",
    "default_dtype",
    "enable_float64",
    "erfc",
    "grad",
    "hvp",
    "jit",
    "jvp",
    "map_rows",
    "mean_over_replicas",
    "peak_memory",
    "prepare",
    "process",
    "replicas",
    "scan",
    "softplus",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]

keep_compiled()
