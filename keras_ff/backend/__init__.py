"""Derivatives and transformations under the same names on JAX and TensorFlow.

`keras.ops` holds what a layer computes; what it lacks, the derivatives above
all, is here. The functions take and return arrays of the active backend, or
dictionaries, lists and tuples of arrays; NumPy arrays and Keras variables are
converted. This is (with `export`) the only place that imports a backend.
"""

from .selection import check_backend

if check_backend() == "jax":
    from .jax import *  # noqa: F403
    from .jax import __all__ as _names
else:
    from .tensorflow import *  # noqa: F403
    from .tensorflow import __all__ as _names

__all__ = ["check_backend", *_names]
