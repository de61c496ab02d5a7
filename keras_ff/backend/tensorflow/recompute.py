"""Steps of a TensorFlow loop whose inside is not stored for the reverse pass.

tf.recompute_grad gives no gradient to what a function reads from around it, and
in a compiled loop its reverse pass cannot read that at all. Here the function is
traced, and what it reads becomes one more argument of the trace. The derivative
is another such function, so that any order works.
"""

import tensorflow as tf


def recomputed(function, example):
    """`function(*tensors) -> list of tensors`, with a reverse pass that starts from its arguments.

    It is for the body of a loop in a graph. `example` holds tensors of the
    shapes and dtypes of the arguments.

    Raises:
        NotImplementedError: If a variable is used otherwise than by its value.
    """
    *_, captured = _trace(function, example)
    surroundings = [outer for outer, _ in captured]
    # Variables are read before the loop, and their gradient leaves the loop by these tensors.
    values = [
        tf.raw_ops.ReadVariableOp(resource=outer, dtype=inner[0].dtype) if outer.dtype == tf.resource else outer
        for outer, inner in captured
    ]
    return lambda *arguments: _call(function, arguments, surroundings, values)


def _call(function, arguments, surroundings, values):
    count = len(arguments)
    # Outside, since custom_gradient wants a gradient for every variable that is read inside.
    trace = _trace(function, arguments)

    @tf.custom_gradient
    def call(*inputs):
        arguments, values = inputs[:count], inputs[count:]
        outputs = _evaluate(trace, arguments, surroundings, values)

        def pullback(*cotangents):
            kept = [index for index, output in enumerate(outputs) if output.dtype.is_floating]
            wanted = [index for index, tensor in enumerate(inputs) if tensor.dtype.is_floating]

            def reverse(*tensors):
                sources = [*map(tf.identity, tensors[:count]), *surroundings]
                sources_wanted = [sources[index] for index in wanted]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(sources_wanted)
                    results = function(*sources[:count])
                gradients = tape.gradient(
                    [results[index] for index in kept],
                    sources_wanted,
                    output_gradients=tensors[count:],
                    unconnected_gradients="zero",
                )
                # An unconnected variable gives None all the same, and rows that were taken give slices without their places.
                return [
                    tf.zeros(inputs[index].shape, inputs[index].dtype) if gradient is None else tf.convert_to_tensor(gradient)
                    for index, gradient in zip(wanted, gradients, strict=True)
                ]

            cotangents = [cotangents[index] for index in kept]
            gradients = _call(reverse, (*arguments, *cotangents), surroundings, values)
            gradients = dict(zip(wanted, gradients, strict=True))
            return [gradients.get(index) for index in range(len(inputs))]

        return outputs, pullback

    # `identity` makes them tensors of the loop body in which the gradient will look for them.
    return tf.nest.flatten(call(*map(tf.identity, (*arguments, *values))))


def _evaluate(trace, arguments, surroundings, values):
    """The outputs of a traced function, with `values` in the place of what it reads from around it."""
    graph, placeholders, results, captured = trace
    feed = list(zip(placeholders, arguments, strict=True))
    for outer, inner in captured:
        value = [value for other, value in zip(surroundings, values, strict=True) if other is outer]
        if not value:
            raise NotImplementedError(
                "scan with checkpoint=True on TensorFlow needs a step that reads the same tensors every time it is "
                f"called. Received one that also read {outer} in another call. Set checkpoint=False, or use JAX."
            )
        feed += [(tensor, value[0]) for tensor in inner]
    definition = _without(graph, {tensor.op.name for tensor, _ in feed} | {t.op.name for t in graph.internal_captures})
    # `identity` brings the value into the graph that is being built.
    feed = {tensor.name: tf.identity(value) for tensor, value in feed if tensor.consumers()}
    return tf.graph_util.import_graph_def(definition, feed, [tensor.name for tensor in results], name="recomputed")


def new_graph(name):
    """A graph that a function can be traced into, and that notes what it reads from around it.

    Private API of TensorFlow, which Keras uses too. Without it `scan` does not run in compiled functions; `tf.function` traces as
    well, but hides from the gradient which tensors it captured.
    """
    return tf.__internal__.FuncGraph(name)


def _trace(function, example):
    """The graph of a function, its placeholders and results, and what it reads from around it."""
    graph = new_graph("recomputed")
    with graph.as_default():
        placeholders = [tf.compat.v1.placeholder(tensor.dtype, tensor.shape) for tensor in example]
        results = [tf.identity(result) for result in function(*placeholders)]
    captured = []
    for outer, inner in zip(graph.external_captures, graph.internal_captures, strict=True):
        if outer.dtype != tf.resource:
            captured.append((outer, [inner]))
            continue
        # The handle of a variable: it is its value that becomes an argument.
        other = sorted({use.type for use in inner.consumers()} - {"ReadVariableOp"})
        if other:
            raise NotImplementedError(
                "scan with checkpoint=True on TensorFlow needs a step that uses variables by their values only. "
                f"Received one with the operations {other} on a variable. Convert the variable to a tensor before "
                "the scan, set checkpoint=False, or use the JAX backend."
            )
        captured.append((outer, [use.outputs[0] for use in inner.consumers()]))
    return graph, placeholders, results, captured


def _without(graph, names):
    """Definition of a graph without some of its operations, whose outputs are to be fed."""
    definition = graph.as_graph_def()
    kept = [node for node in definition.node if node.name not in names]
    for node in kept:
        inputs = [name for name in node.input if not (name.startswith("^") and name[1:] in names)]
        del node.input[:]
        node.input.extend(inputs)
        # A wish to be placed beside an operation that may be left out.
        node.attr.pop("_class", None)
    del definition.node[:]
    definition.node.extend(kept)
    return definition
