"""File for the state of a training run or fit: values and arrays, protected by a checksum."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_ff.files.checksums import checksum
from keras_ff.files.whole import replace_when_complete

if TYPE_CHECKING:
    import os

_FORMAT = b"keras_ff run state 1"


class DamagedFile(ValueError):
    """Error that is raised when a file is truncated or was altered."""


def write_state(path: str | os.PathLike, state: Any) -> None:
    """Write nested values and arrays to a file, which is complete or as before if the process is killed at any time.

    Args:
        path: Path of the file, which is replaced if it exists.
        state: Dictionaries with string keys, lists, tuples (read as lists),
            strings, numbers, None, and NumPy or backend arrays. Floats and
            arrays are read bit for bit as they were.

    Raises:
        TypeError: If `state` contains something else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_state(f"{folder}/state", {"epoch": 3, "losses": [0.5, 0.25]})
        ...     read_state(f"{folder}/state")
        {'epoch': 3, 'losses': [0.5, 0.25]}
    """
    arrays = []
    text = json.dumps(_pack(state, arrays))
    buffer = io.BytesIO()
    np.savez(buffer, json=np.frombuffer(text.encode(), np.uint8), **{str(i): array for i, array in enumerate(arrays)})
    content = buffer.getvalue()
    with replace_when_complete(path) as part, open(part, "wb") as file:
        file.write(_FORMAT + b"\n" + checksum(content).encode() + b"\n" + content)


def read_state(path: str | os.PathLike) -> Any:
    """Read the nested values and arrays of a file that `write_state` wrote.

    Args:
        path: Path of the file.

    Returns:
        The nested values, with NumPy arrays.

    Raises:
        DamagedFile: If the file is not complete or its checksum differs.
        ValueError: If another version of the library wrote it.

    Example:
        ::

            state = read_state("run/state")
    """
    head, _, body = Path(path).read_bytes().partition(b"\n")
    expected, _, content = body.partition(b"\n")
    if head != _FORMAT and head.startswith(_FORMAT[:-1]):
        raise ValueError(
            f"{path} was written by another version of keras_ff, as {head.decode(errors='replace')!r}; "
            f"this version reads {_FORMAT.decode()!r}."
        )
    if head != _FORMAT or checksum(content).encode() != expected:
        raise DamagedFile(f"{path} is truncated or damaged: its checksum does not fit its content.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        text = arrays["json"].tobytes().decode()
        return _unpack(json.loads(text), arrays)


def _pack(value, arrays):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key != "array" for key in value):
            raise TypeError(f'Expected keys that are strings other than "array". Received {list(value)}.')
        return {key: _pack(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(item, arrays) for item in value]
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if keras.ops.is_tensor(value) or isinstance(value, keras.Variable):
        value = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value))
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays.append(value)
        return {"array": len(arrays) - 1}
    raise TypeError(f"The state of a run holds numbers, strings and arrays. Received {type(value).__name__}: {value!r}.")


def _unpack(value, arrays):
    if isinstance(value, dict):
        if set(value) == {"array"}:
            return arrays[str(value["array"])]
        return {key: _unpack(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    return value
