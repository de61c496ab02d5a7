"""Implementation of the interface of `keras_ff.backend` on JAX; the modules of the same names there have the docstrings."""

from .derivatives import custom_gradient, hvp, jvp, stop_gradient, value_and_grad, vjp
from .distribution import data_parallel, mean_over_replicas, process, replicas
from .elementary import erfc, softplus
from .loops import cond, scan
from .precision import allow_float64, has_float64, multiply_in_full, reduced_products
from .transformations import enable_compilation_cache, jit, vmap

__all__ = [
    "allow_float64",
    "cond",
    "custom_gradient",
    "data_parallel",
    "enable_compilation_cache",
    "erfc",
    "has_float64",
    "hvp",
    "jit",
    "jvp",
    "mean_over_replicas",
    "multiply_in_full",
    "process",
    "reduced_products",
    "replicas",
    "scan",
    "softplus",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]
