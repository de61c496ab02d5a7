"""Derivatives: reverse mode, forward mode, and those written by hand."""

from collections.abc import Callable
from typing import Any

from keras_ff.backend.active import twin
from keras_ff.backend.shared import wraps


def value_and_grad(function: Callable, has_aux: bool = False) -> Callable:
    """Value and reverse-mode derivative of a scalar function.

    Args:
        function: Takes an array (or a nest of arrays) to differentiate with
            respect to, and any further arguments; returns a scalar, or with
            `has_aux` a tuple `(scalar, anything)`.
        has_aux: Whether `function` returns such a tuple.

    Returns:
        A function of the same arguments that returns `(value, gradient)`, or
        `((value, anything), gradient)`. The gradient has the structure of the
        first argument, and is zero where the value does not depend on it.

    Raises:
        TypeError: When called, if the value is not a scalar, or the first
            argument holds something that is not of a floating dtype.

    Example:
        >>> from keras import ops
        >>> value, gradient = value_and_grad(lambda x: ops.sum(x**3))(ops.array([1.0, 2.0]))
        >>> float(value), ops.convert_to_numpy(gradient).tolist()
        (9.0, [3.0, 12.0])
    """
    return twin.value_and_grad(function, has_aux)


def grad(function: Callable, has_aux: bool = False) -> Callable:
    """Reverse-mode derivative of a scalar function; see `value_and_grad`.

    Args:
        function: Function of an array or nest of arrays that returns a scalar, or with
            `has_aux` a tuple `(scalar, anything)`.
        has_aux: Whether `function` returns such a tuple.

    Returns:
        A function that returns the gradient, or with `has_aux`
        `(gradient, anything)`.

    Example:
        >>> float(grad(lambda x: x * x)(3.0))
        6.0
    """
    differentiated = value_and_grad(function, has_aux)

    @wraps(function)
    def wrapped(*args, **kwargs):
        value, gradient = differentiated(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jvp(function: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Derivative of a function along a direction.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        primals: Tuple with one entry for each argument.
        tangents: Tuple of directions, with the structure of `primals`.

    Returns:
        `(output, derivative of the output)`.

    Example:
        >>> [float(value) for value in jvp(lambda x: x * x, (3.0,), (1.0,))]
        [9.0, 6.0]
    """
    return twin.jvp(function, primals, tangents)


def vjp(function: Callable, *primals: Any) -> tuple[Any, Callable]:
    """Output of a function, and the product of any cotangent with its Jacobian.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        primals: Its arguments.

    Returns:
        `(output, pullback)`: `pullback(cotangent)`, with a cotangent of the
        structure of the output, returns a tuple with one entry for each primal.
        It can be called more than once.

    Example:
        >>> output, pullback = vjp(lambda x: x * x, 3.0)
        >>> float(pullback(0.5)[0])
        3.0
    """
    return twin.vjp(function, *primals)


def hvp(function: Callable, x: Any, v: Any) -> Any:
    """Product of the Hessian matrix of a scalar function with a vector.

    Args:
        function: Takes one array (or nest of arrays), returns a scalar.
        x: Argument at which the Hessian matrix is computed.
        v: Vector, with the structure of `x`.

    Returns:
        Product, with the structure of `x`.

    Example:
        >>> float(hvp(lambda x: x**3, 2.0, 1.0))
        12.0
    """
    return twin.hvp(function, x, v)


def custom_gradient(function: Callable) -> Callable:
    """Give a function a derivative written by hand.

    Args:
        function: Maps arrays (or nests of arrays) to `(output, pullback)`, where
            `pullback(cotangent)` takes a cotangent with the structure of the
            output and returns a tuple with one gradient for each argument (None
            for zero). For one argument it may return the gradient itself. What
            `pullback` computes is differentiated in turn for higher orders.
            Arrays and variables to differentiate with respect to must be
            arguments: those that `function` captures get no gradient.

    Returns:
        A function of the same positional arguments that returns the output.

    Example:
        >>> cube = custom_gradient(lambda x: (x**3, lambda upstream: upstream * 3.0 * x**2))
        >>> float(grad(cube)(2.0))
        12.0
    """
    return twin.custom_gradient(function)


def stop_gradient(x: Any) -> Any:
    """Array or nest of arrays with the same values, which every derivative treats as a constant.

    Args:
        x: Array or nest of arrays.

    Returns:
        Array or nest of arrays. `keras.ops.stop_gradient` takes a single array.

    Example:
        >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
        3.0
    """
    return twin.stop_gradient(x)
