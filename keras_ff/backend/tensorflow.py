"""The backend functions on TensorFlow."""

import functools
import os

import keras
import tensorflow as tf

from . import tensorflow_gradients
from .precision import set_keras_float64
from .tensorflow_math import *  # noqa: F403
from .tensorflow_math import __all__ as _math_names
from .tensorflow_scan import scan_graph, scan_loop

__all__ = [
    "backend_name",
    "custom_gradient",
    "enable_compilation_cache",
    "enable_float64",
    "grad",
    "hessian",
    "hvp",
    "jit",
    "jvp",
    "scan",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
    *_math_names,
]

tensorflow_gradients.register()


def backend_name():
    """The active backend: "jax" or "tensorflow"."""
    return "tensorflow"


def enable_float64():
    """Compute in float64 from here on; calling it again changes nothing.

    Call it before the first model is built: layers that exist keep their dtype.
    """
    set_keras_float64()


def enable_compilation_cache(folder):
    """Keep compiled functions in a folder, where the next process finds them.

    Call it before the first computation: TensorFlow reads the setting once, at
    its first compilation, and a later call has no effect there. Only functions
    compiled by XLA are kept (`jit`, and models with `jit_compile=True`);
    tracing them still takes its time. The folder serves one kind of machine and
    may be deleted at any time.

    Args:
        folder: Path, created if it does not exist.
    """
    os.makedirs(folder, exist_ok=True)
    flags = [flag for flag in os.environ.get("TF_XLA_FLAGS", "").split() if "tf_xla_persistent_cache" not in flag]
    flags.append(f"--tf_xla_persistent_cache_directory={os.path.abspath(folder)}")
    flags.append("--tf_xla_persistent_cache_device_types=CPU,GPU")
    os.environ["TF_XLA_FLAGS"] = " ".join(flags)


def value_and_grad(function, has_aux=False):
    """Value and reverse-mode derivative of a scalar function.

    Args:
        function: Takes an array (or a nest of arrays) to differentiate by, and
            any further arguments; returns a scalar, or with `has_aux` a tuple
            `(scalar, anything)`.
        has_aux: Whether `function` returns such a tuple.

    Returns:
        A function of the same arguments that returns `(value, gradient)`, or
        `((value, anything), gradient)`. The gradient has the structure of the
        first argument, and is zero where the value does not depend on it.

    Raises:
        TypeError: When called, if the value is not a scalar, or the first
            argument holds something that is not of a floating dtype.

    Example:
        >>> value, gradient = value_and_grad(lambda x: keras.ops.sum(x**3))(keras.ops.array([1.0, 2.0]))
        >>> float(value), keras.ops.convert_to_numpy(gradient).tolist()
        (9.0, [3.0, 12.0])
    """

    @functools.wraps(function)
    def wrapped(x, *args, **kwargs):
        x = _own_arrays(x)
        for leaf in tf.nest.flatten(x):
            if not leaf.dtype.is_floating:
                raise TypeError(
                    "A gradient needs arrays of a floating dtype in the first argument. "
                    f"Received an array of dtype {leaf.dtype.name} and shape {leaf.shape}."
                )
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            result = function(x, *args, **kwargs)
            value = tf.convert_to_tensor(result[0] if has_aux else result)
            result = (value, result[1]) if has_aux else value
        if value.shape.rank:
            raise TypeError(
                f"A gradient is defined for a function that returns a scalar. Received a value of shape {value.shape}: "
                "sum over it, or use vjp."
            )
        return result, tape.gradient(value, x, unconnected_gradients="zero")

    return wrapped


def grad(function, has_aux=False):
    """Reverse-mode derivative of a scalar function; see `value_and_grad`.

    Returns:
        A function that returns the gradient, or with `has_aux`
        `(gradient, anything)`.
    """
    differentiated = value_and_grad(function, has_aux=has_aux)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        value, gradient = differentiated(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jvp(function, primals, tangents):
    """Derivative of a function along a direction.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        primals: Tuple with one entry for each argument.
        tangents: Tuple of directions, with the structure of `primals`.

    Returns:
        `(output, derivative of the output)`.
    """
    # The pullback is linear in the cotangent: its derivative by it is the
    # derivative along the tangent. tf.autodiff.ForwardAccumulator fails in
    # compiled loops, and nested ones return wrong numbers in eager loops.
    output, pullback = vjp(function, *primals)
    cotangent = tf.nest.map_structure(tf.zeros_like, output)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(cotangent)
        pulled = pullback(cotangent)
    return output, tape.gradient(pulled, cotangent, output_gradients=_arrays(tuple(tangents)), unconnected_gradients="zero")


def vjp(function, *primals):
    """Output of a function, and the product of any cotangent with its Jacobian.

    Returns:
        `(output, pullback)`: `pullback(cotangent)`, with a cotangent of the
        structure of the output, returns a tuple with one entry for each primal.
        It can be called more than once.
    """
    primals = _own_arrays(primals)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(primals)
        output = tf.nest.map_structure(tf.convert_to_tensor, function(*primals))

    def pullback(cotangent):
        return tape.gradient(output, primals, output_gradients=_arrays(cotangent), unconnected_gradients="zero")

    return output, pullback


def hvp(function, x, v):
    """Product of the Hessian matrix of a scalar function with a vector.

    Args:
        function: Takes one array (or nest of arrays), returns a scalar.
        x: Where the Hessian is taken.
        v: Vector, with the structure of `x`.

    Returns:
        Product, with the structure of `x`.
    """
    return vjp(grad(function), x)[1](v)[0]


def hessian(function, x, chunk=None):
    """All second derivatives of a scalar function of one array.

    Rows are computed together, as products of the Hessian with unit vectors.

    Args:
        function: Takes one array, returns a scalar.
        x: Array of any shape.
        chunk: Number of rows computed at a time, to bound the memory; all if None.

    Returns:
        Second derivatives, of shape `x.shape + x.shape`.
    """
    x = _arrays(x)
    size = tf.size(x) if x.shape.num_elements() is None else x.shape.num_elements()
    _, pullback = vjp(grad(function), x)

    def row(index):
        return pullback(tf.reshape(tf.one_hot(index, size, dtype=x.dtype), tf.shape(x)))[0]

    if chunk is None:
        rows = tf.vectorized_map(row, tf.range(size))
    else:
        # The last chunk repeats rows to be of the same size as the others.
        chunks = -(-size // chunk)
        indices = tf.reshape(tf.minimum(tf.range(chunks * chunk), size - 1), (chunks, chunk))
        _, rows = scan(lambda carry, index: (carry, tf.vectorized_map(row, index)), (), indices)
    rows = tf.reshape(rows, tf.concat([[-1], tf.shape(x)], 0))[:size]
    return tf.reshape(rows, tf.concat([tf.shape(x), tf.shape(x)], 0))


def vmap(function, in_axes=0):
    """Apply a function to every slice of its arguments at once.

    Args:
        function: Takes arrays or nests of arrays, returns the same.
        in_axes: Axis of the arguments to map over, or a tuple with one axis for
            each argument, None for those that are the same for every slice.

    Returns:
        A function of the same positional arguments, whose results have the
        mapped axis first.
    """

    @functools.wraps(function)
    def wrapped(*args):
        args = _arrays(args)
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args) or all(axis is None for axis in axes):
            raise ValueError(
                f"vmap needs an axis to map over and one entry of in_axes for each argument. "
                f"Received in_axes={in_axes} and {len(args)} arguments."
            )
        mapped = {
            index: tf.nest.map_structure(lambda x, axis=axis: _axis_first(x, axis), args[index])
            for index, axis in enumerate(axes)
            if axis is not None
        }

        def one(slices):
            return function(*(slices.get(index, arg) for index, arg in enumerate(args)))

        return tf.vectorized_map(one, mapped)

    return wrapped


def scan(function, init, xs=None, length=None, checkpoint=False):
    """Repeat a step a fixed number of times; can be differentiated in reverse.

    Args:
        function: Maps `(carry, x)` to `(carry, y)`. The carry keeps its structure,
            shapes and dtypes; `y` may be None.
        init: Carry before the first step.
        xs: Array or nest of arrays whose leading axis is the steps, or None.
        length: Number of steps; needed if `xs` is None.
        checkpoint: Whether a reverse pass computes the inside of each step anew
            from its carry instead of storing it: the memory of one step and of
            `length` carries, for one more evaluation of `function`.

    Returns:
        `(carry, ys)`: the carry after the last step, and the outputs stacked
        along a leading axis.

    Raises:
        TypeError: If the carry changes its shape or dtype.
        ValueError: If neither `xs` nor `length` is given.
        NotImplementedError: On TensorFlow, if a step to be checkpointed uses
            variables in another way than by their values.

    TensorFlow without `jit` runs a Python loop, or with `checkpoint` traces the
    step at each call; with `jit` it cannot differentiate the loop four times.
    """
    if xs is None and length is None:
        raise ValueError("scan needs xs or length to know the number of steps. Received xs=None and length=None.")
    init, xs = _arrays(init), _arrays(xs)
    if tf.executing_eagerly() and not checkpoint:
        return scan_loop(function, init, xs, length)
    if tf.executing_eagerly():
        return tf.function(lambda init, xs: scan_graph(function, init, xs, length, True), autograph=False)(init, xs)
    return scan_graph(function, init, xs, length, checkpoint)


def jit(function, layer=None):
    """Compile a function with XLA, once for each set of shapes and dtypes.

    Arguments are arrays, Python numbers and nests of them. Inside another
    compiled function it becomes part of that.

    Args:
        function: The function to compile.
        layer: Keras layer or model whose variables `function` reads; each call
            sees their present values. On JAX the values of variables that are
            reached in another way are constants of the compiled function.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        args, kwargs = _arrays((args, kwargs))
        return (compiled if tf.executing_eagerly() else function)(*args, **kwargs)

    return wrapped


def custom_gradient(function):
    """Give a function a derivative written by hand.

    Args:
        function: Maps arrays (or nests of arrays) to `(output, pullback)`, where
            `pullback(cotangent)` takes a cotangent with the structure of the
            output and returns a tuple with one gradient for each argument (None
            for zero). For one argument it may return the gradient itself. What
            `pullback` computes is differentiated in turn for higher orders.
            Arrays and variables to differentiate by must be arguments: those
            that `function` reads from around it get no gradient.

    Returns:
        A function of the same positional arguments that returns the output.
    """

    @functools.wraps(function)
    def wrapped(*args):
        args = _arrays(args)
        structure = []

        @tf.custom_gradient
        def flat(*leaves):
            inner = tf.nest.pack_sequence_as(args, leaves)
            output, pullback = function(*inner)
            structure.append(output)

            def flat_pullback(*cotangents, variables=None):
                gradients = pullback(tf.nest.pack_sequence_as(output, cotangents))
                gradients = gradients if isinstance(gradients, tuple) else (gradients,)
                full = [
                    tf.nest.map_structure(tf.zeros_like, arg) if gradient is None else gradient
                    for arg, gradient in zip(inner, gradients, strict=True)
                ]
                gradients = tf.nest.flatten(full)
                return gradients if variables is None else (gradients, [None] * len(variables))

            return tf.nest.flatten(output), flat_pullback

        output = flat(*tf.nest.flatten(args))
        return tf.nest.pack_sequence_as(structure[0], tf.nest.flatten(output))

    return wrapped


def stop_gradient(x):
    """The same array or nest of arrays, a constant to every derivative."""
    return tf.nest.map_structure(tf.stop_gradient, _arrays(x))


def _arrays(nest):
    """Keras variables, NumPy arrays and Python numbers become tensors."""
    return tf.nest.map_structure(_array, nest)


def _array(x):
    if x is None:
        return x
    if type(x) is float:
        return tf.constant(x, keras.config.floatx())
    return keras.ops.convert_to_tensor(x)


def _own_arrays(nest):
    """Copies, since a function may close over the very array it is to be differentiated by."""
    return tf.nest.map_structure(tf.identity, _arrays(nest))


def _axis_first(x, axis):
    axes = list(range(x.shape.rank))
    axes.insert(0, axes.pop(axis))
    return tf.transpose(x, axes)
