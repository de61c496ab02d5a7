"""Implementation of the interface of `keras_ff.backend` on TensorFlow; the modules of the same names there have the docstrings."""

# ruff: noqa: F401  The interface calls them as functions of the package.
from .derivatives import custom_gradient, hvp, jvp, stop_gradient, value_and_grad, vjp
from .distribution import data_parallel, mean_over_replicas, process, replicas
from .elementary import erfc, softplus
from .loops import cond, scan
from .precision import allow_float64, has_float64, multiply_in_full, reduced_products
from .transformations import accelerated, compilation_cache, enable_compilation_cache, jit, peak_memory, vmap
