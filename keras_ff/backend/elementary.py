"""Elementary functions that `keras.ops` lacks, or whose higher derivatives are wrong there."""

from typing import Any

import keras  # noqa: F401  For the examples.

from keras_ff.backend.active import twin


def erfc(x: Any) -> Any:
    """Complementary error function of each number, `1 - erf(x)`, without the loss of digits for large `x`.

    Args:
        x: Array of floating dtype.

    Returns:
        Array in the shape and dtype of `x`.

    Example:
        >>> round(float(erfc(keras.ops.array(0.5))), 4)
        0.4795
    """
    return twin.erfc(x)


def softplus(x: Any) -> Any:
    """Smooth maximum of each number and 0, `ln(1 + exp(x))`, with finite derivatives of every order.

    The third derivative of `keras.ops.softplus` overflows to NaN for large arguments on TensorFlow.

    Args:
        x: Array of floating dtype.

    Returns:
        Array in the shape and dtype of `x`.

    Example:
        >>> round(float(softplus(keras.ops.array(0.0))), 4)
        0.6931
    """
    return twin.softplus(x)
