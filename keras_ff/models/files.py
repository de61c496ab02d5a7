"""Models on disk: whole files or none, and clear words about broken ones."""

import importlib
import json
import zipfile
from pathlib import Path

import keras

from keras_ff import backend


def load(path, dtype=None):
    """Read a model that `ForceField.save` wrote, on either backend.

    A float64 model switches the process to float64 (`keras_ff.enable_float64`).

    Args:
        path: The `.keras` file.
        dtype: "float32" or "float64" to convert the model; by default it keeps its own.

    Returns:
        The `ForceField` or `Ensemble`, compiled if it was.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated, no model of this library, or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    config = _read_config(path)
    text = json.dumps(config)
    if dtype == "float64" or (dtype is None and '"float64"' in text):
        backend.enable_float64()
    # Keras finds the losses and metrics of a compiled model once their modules are imported.
    importlib.import_module("keras_ff.training")
    try:
        model = keras.saving.load_model(path)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{path} could not be read as a model of this library. It may come from an incompatible version "
            f"(keras_ff {config.get('config', {}).get('library_version', 'unknown')}), or be damaged: {error}"
        ) from error
    return model if dtype is None else astype(model, dtype)


def astype(model, dtype):
    """A copy of a `ForceField` that computes in another dtype; it is not compiled.

    Args:
        model: The `ForceField`.
        dtype: "float32" or "float64".
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f'A model computes in "float32" or "float64". Received dtype={dtype!r}.')
    if dtype == "float64":
        backend.enable_float64()
    config = _replace_dtype(model.get_config(), dtype)
    copy = type(model).from_config(config)
    for new, old in zip(copy.weights, model.weights, strict=True):
        # Not the array itself: on JAX, training one of the two models would delete it.
        new.assign(keras.ops.copy(keras.ops.cast(old, dtype)))
    return copy


def _replace_dtype(config, dtype):
    if isinstance(config, dict):
        return {key: dtype if key == "dtype" else _replace_dtype(value, dtype) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_replace_dtype(item, dtype) for item in config)
    return config


def _read_config(path):
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, EOFError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a complete model file ({error}). A model is written in one piece by `model.save`; "
            "copy it again, or take the last checkpoint of the run."
        ) from error
    if broken:
        raise ValueError(f"{path} is damaged: the part {broken} does not match its checksum. Copy it again.")
    if config.get("registered_name") not in ("keras_ff>ForceField", "keras_ff>Ensemble"):
        raise ValueError(f"{path} holds a {config.get('class_name', 'something else')}, not a ForceField.")
    return config
