"""Names of the tensors of a SavedModel, for programs that run its graph."""

from tensorflow.core.protobuf import saved_model_pb2


def tensor_names(folder):
    """Dict from the names of inputs and outputs of `serving_default` to those of tensors, such as "StatefulPartitionedCall:0"."""
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = content.meta_graphs[0].signature_def["serving_default"]
    return {name: tensor.name for ends in (signature.inputs, signature.outputs) for name, tensor in sorted(ends.items())}
