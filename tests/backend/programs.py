"""Precision of the products of float32 matrices in the programs that a backend compiles."""

import contextlib
import re

from keras_ff import backend

if backend.backend_name() == "jax":
    import jax

    FULL = "precision = [HIGHEST, HIGHEST]"

    def program(function, *args):
        """Text of the program that a function becomes, as the compiler gets it."""
        return jax.jit(function).lower(*args).as_text()

    def reduced():
        """Context in which the user allows TF32."""
        return jax.default_matmul_precision("tensorfloat32")

else:
    import tensorflow as tf

    FULL = "operand_precision={highest,highest}"

    def program(function, *args):
        """Text of the program that a function becomes, as the compiler gets it."""
        function = tf.function(function, jit_compile=True, autograph=False)
        return function.experimental_get_compiler_ir(*tf.nest.map_structure(tf.convert_to_tensor, args))(stage="hlo")

    @contextlib.contextmanager
    def reduced():
        """Context in which the user allows TF32."""
        tf.config.experimental.enable_tensor_float_32_execution(True)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(False)


def products(text):
    """Lines of a program with a product of float32 matrices or a convolution."""
    return [line for line in text.splitlines() if re.search(r"(stablehlo\.dot|\sdot|convolution)", line) and "f32" in line]


def all_in_full(text):
    """Whether there are products of float32 matrices, all in full on GPUs, and nothing else is rounded to fewer digits."""
    found, rounded = products(text), re.search(r"reduce.precision|\bx?bf16|[\sx]f16|tf32", text)
    return bool(found) and all(FULL in line for line in found) and not rounded
