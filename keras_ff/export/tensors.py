"""Names of the tensors of a SavedModel, for programs that run its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorflow.core.protobuf import saved_model_pb2

if TYPE_CHECKING:
    from pathlib import Path


def tensor_names(folder: Path) -> dict[str, str]:
    """Names of the tensors of a SavedModel that are the inputs and outputs of its signature `serving_default`.

    Args:
        folder: Folder of the SavedModel.

    Returns:
        Dict from the name of an input or output to that of its tensor, such as "StatefulPartitionedCall:0".
    """
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = content.meta_graphs[0].signature_def["serving_default"]
    return {name: tensor.name for ends in (signature.inputs, signature.outputs) for name, tensor in sorted(ends.items())}
