"""Steps of a TensorFlow loop whose intermediate values are not stored for the reverse pass.

tf.recompute_grad gives no gradient to tensors that a function captures, and in a
compiled loop its reverse pass cannot read them at all. Here the function is
traced, and what it captures becomes one more argument of the trace. The
derivative is another such function, so that any order works.
"""

import tensorflow as tf


def recomputed(function, example):
    """Function whose reverse pass computes its intermediate values again from its arguments, for the body of a loop in a graph.

    Args:
        function: Function of tensors that returns a list of tensors.
        example: List of tensors with the shapes and dtypes of the arguments.

    Returns:
        Function of the same arguments.

    Raises:
        NotImplementedError: If a variable is used in another way than by its value.
    """
    trace = _trace(function, example)
    captured = trace[-1]
    surroundings = [outer for outer, _ in captured]
    # Variables are read before the loop, and their gradient leaves the loop by these tensors.
    values = [
        tf.raw_ops.ReadVariableOp(resource=outer, dtype=inner[0].dtype) if outer.dtype == tf.resource else outer
        for outer, inner in captured
    ]
    return lambda *arguments: _call(function, trace, arguments, surroundings, values)


def _call(function, trace, arguments, surroundings, values):
    """Outputs of a function by its trace; a trace inside `call` would read variables, for which custom_gradient needs gradients."""
    count = len(arguments)

    @tf.custom_gradient
    def call(*inputs):
        arguments, values = inputs[:count], inputs[count:]
        outputs = _evaluate(trace, arguments, surroundings, values)

        def pullback(*cotangents):
            kept = [index for index, output in enumerate(outputs) if output.dtype.is_floating]
            floating = [index for index, tensor in enumerate(inputs) if tensor.dtype.is_floating]

            def reverse(*tensors):
                sources = [*map(tf.identity, tensors[:count]), *surroundings]
                floating_sources = [sources[index] for index in floating]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(floating_sources)
                    results = function(*sources[:count])
                gradients = tape.gradient(
                    [results[index] for index in kept],
                    floating_sources,
                    output_gradients=tensors[count:],
                    unconnected_gradients="zero",
                )
                # An unconnected variable has the gradient None all the same, and a gather has one of type IndexedSlices.
                return [
                    tf.zeros(inputs[index].shape, inputs[index].dtype) if gradient is None else tf.convert_to_tensor(gradient)
                    for index, gradient in zip(floating, gradients, strict=True)
                ]

            cotangents = [cotangents[index] for index in kept]
            given = (*arguments, *cotangents)
            gradients = _call(reverse, _trace(reverse, given), given, surroundings, values)
            gradients = dict(zip(floating, gradients, strict=True))
            return [gradients.get(index) for index in range(len(inputs))]

        return outputs, pullback

    # `identity` makes them tensors of the loop body in which the gradient will look for them.
    return tf.nest.flatten(call(*map(tf.identity, (*arguments, *values))))


def _evaluate(trace, arguments, surroundings, values):
    """Outputs of a traced function, with `values` instead of the tensors that it captured."""
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
    # `identity` adds the value to the graph that is being built.
    feed = {tensor.name: tf.identity(value) for tensor, value in feed if tensor.consumers()}
    return tf.graph_util.import_graph_def(definition, feed, [tensor.name for tensor in results], name="recomputed")


def new_graph(name):
    """Graph into which a function can be traced, and which records the tensors that the function captures.

    It is private API of TensorFlow, which Keras uses too. Without it `scan` does not run in compiled functions; `tf.function` also
    traces, but hides from the gradient which tensors it captured.

    Args:
        name: Name of the graph.

    Returns:
        `FuncGraph` of TensorFlow.
    """
    return tf.__internal__.FuncGraph(name)


def _trace(function, example):
    """Graph of a function, its placeholders and results, and the tensors that it captures."""
    graph = new_graph("recomputed")
    with graph.as_default():
        placeholders = [tf.compat.v1.placeholder(tensor.dtype, tensor.shape) for tensor in example]
        results = [tf.identity(result) for result in function(*placeholders)]
    captured = []
    for outer, inner in zip(graph.external_captures, graph.internal_captures, strict=True):
        if outer.dtype != tf.resource:
            captured.append((outer, [inner]))
            continue
        # The handle of a variable: its value becomes an argument.
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
    """Definition of a graph without some of its operations, whose outputs are fed instead."""
    definition = graph.as_graph_def()
    kept = [node for node in definition.node if node.name not in names]
    for node in kept:
        inputs = [name for name in node.input if not (name.startswith("^") and name[1:] in names)]
        del node.input[:]
        node.input.extend(inputs)
        # The attribute may name an operation that is left out.
        node.attr.pop("_class", None)
    del definition.node[:]
    definition.node.extend(kept)
    return definition
