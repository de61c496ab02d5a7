"""Precision: settings that a backend needs to compute in float64 and in all of float32, and the default of the process.

By default GPUs round float32 matrices to 10 bits of mantissa before they multiply them (TF32; TPUs to 7), too few for energies and
forces. Importing this package makes full float32 the default of the process. A setting of single functions would miss what is
computed outside of them: by Keras, eagerly, in derivatives, and in functions of users. What the user sets explicitly stays: on JAX
before or after the import, on TensorFlow after it.
"""

import contextlib
import warnings
from collections.abc import Iterator

import keras

from keras_ff.backend.active import twin
from keras_ff.forks import check_process

twin.multiply_in_full()


def prepare(dtype: str | keras.DTypePolicy) -> None:
    """Make the backend able to compute in a dtype, without a change of the default dtype of the process.

    All layers and models of this library call it before they make a weight, so
    that a policy of float64 gives weights and derivatives in float64 on both
    backends. On JAX it switches 64-bit numbers on. Keras' `floatx` and dtype
    policy stay as they are, and a float32 model computes the same numbers as
    before. A warning tells if it has fewer digits on GPUs, by a setting of the user.

    Args:
        dtype: Name of a dtype, such as "float64", or a `keras.DTypePolicy`.

    Raises:
        ValueError: If the dtype is neither float32 nor float64, such as "mixed_float16" or "bfloat16".
        RuntimeError: If this Keras or JAX cannot compute in the dtype, or the process is the fork of one that computed.

    Example:
        >>> import numpy as np
        >>> prepare("float64")
        >>> keras.ops.convert_to_tensor(np.float64(1) / 3, dtype="float64").dtype == "float64"
        True
    """
    check_process()
    policy = keras.dtype_policies.get(dtype)
    if not {policy.compute_dtype, policy.variable_dtype} <= {"float32", "float64"}:
        raise ValueError(
            f"Force fields compute in float32 or float64, from positions to forces: in half precision, with its 8 or 11 bits, "
            f"energies and forces would lose most of their digits. Received the dtype policy {policy.name!r}. Give "
            'dtype="float32", and leave keras.config.set_dtype_policy and set_floatx at float32 or float64.'
        )
    if policy.compute_dtype == "float32" and (setting := twin.reduced_products()):
        warnings.warn(
            f"Models in float32 lose digits on GPUs, about 10 meV/atom in energies: {setting}. Remove the setting, or use float64.",
            stacklevel=2,
        )
    if "float64" not in (policy.compute_dtype, policy.variable_dtype):
        return
    twin.allow_float64()
    _mend_keras()
    if keras.backend.result_type("float64", float) != "float64" or not twin.has_float64():
        raise RuntimeError(
            f"Keras {keras.__version__} on {keras.config.backend()} computes in float32 where float64 is required. Call "
            "keras_ff.enable_float64() before anything else is computed, leave jax.enable_x64(False) out, or make the model with "
            'dtype="float32".'
        )


def enable_float64() -> None:
    """Make float64 the default of the process: `keras.config.floatx()` and the dtype policy of new layers.

    A single model in float64 does not need it, such as
    `NeuralIL(["Si"], dtype="float64")`. Layers that exist keep their dtype. Calling it again
    changes nothing.

    Raises:
        RuntimeError: If this Keras or JAX cannot compute in float64.

    Example:
        >>> floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
        >>> enable_float64()
        >>> keras.layers.Dense(1).compute_dtype
        'float64'
        >>> keras.config.set_floatx(floatx)
        >>> keras.config.set_dtype_policy(policy)
    """
    prepare("float64")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


@contextlib.contextmanager
def default_dtype(dtype: str) -> Iterator[None]:
    """Context in which Keras' `floatx` is another dtype: that of losses, metrics, and arrays made of Python numbers.

    Args:
        dtype: "float32" or "float64".

    Example:
        >>> with default_dtype("float64"):
        ...     keras.losses.MeanSquaredError().dtype
        'float64'
    """
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _mend_keras():
    """Correct a private table of Keras, which up to Keras 3.15.1 turns float64 into float32 on JAX (Keras issue 23223).

    It concerns `sin`, `tanh`, `mean`, `layer_normalization` and others. A later Keras may lack the table, and not need the
    correction; `prepare` checks the result.
    """
    with contextlib.suppress(ImportError):
        from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

        BIT64_TO_BIT32_DTYPE["float64"] = "float64"
