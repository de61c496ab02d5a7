"""Reading of model files, and conversion of models to another precision."""

from __future__ import annotations

import json
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

# Keras finds the losses, metrics and optimizers of a compiled model once their modules are imported.
from keras_ff import backend, losses, metrics, optimizers  # noqa: F401
from keras_ff.forks import check_process
from keras_ff.models.preset_files import is_preset, preset_file

if TYPE_CHECKING:
    from keras_ff.models.force_field import ForceField

# The model of a run folder.
BEST = "best.keras"


def load(path: str | Path, dtype: str | None = None) -> ForceField:
    """Model from a file that `ForceField.save` wrote, on either backend.

    The model has the dtype that it was saved with, or `dtype`; the defaults of the process stay as they are.

        model = kff.load("silicon.keras")

    Args:
        path: The `.keras` file, the folder of a run of `keras-ff train`, whose best model is taken, or a preset: its folder, or
            "preset:silicon_mlearn".
        dtype: "float32" or "float64" to convert the model; by default it keeps its own.

    Returns:
        The `ForceField` or `Ensemble`, compiled if it was; a converted one is not.

    Raises:
        FileNotFoundError: If there is no such file, or the folder has no model.
        ValueError: If the file is truncated or damaged, no model of this library, of a newer version, made of classes that are not
            imported, or has weights that are not finite.
    """
    # Keras would hide the error of a layer.
    check_process()
    path = model_file(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    config = _read_config(path)
    try:
        # For the learning rate of its optimizer, which has no dtype of its own.
        with backend.default_dtype(_dtype_of(config["config"])):
            model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Whatever a damaged configuration or weights file raises in Keras and HDF5.
        raise ValueError(
            f"{path} could not be read as a model of this library. It was written by {writer(path)}, this is keras_ff "
            f"{version('keras_ff')}; or it is damaged: {_short(error)}"
        ) from error
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise ValueError(
                f"{path} holds a weight that is not finite, {weight.path}. It was written by {writer(path)}, after a training that "
                "failed; take an earlier model of that run, such as its best.keras."
            )
    return model if dtype is None else astype(model, dtype)


def model_file(path: str | Path) -> Path:
    """The file that a user means: the path itself, the best model in the folder of a run, or the model of a preset.

    Args:
        path: Path of a file or a folder, or "preset:" and the name of a preset.

    Raises:
        FileNotFoundError: If the folder has no model.
        ValueError: If there is no such preset.
    """
    if is_preset(path):
        return preset_file(path)
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / BEST).exists():
        what = "an artifact, which keras_ff.Calculator takes" if (path / "artifact.json").exists() else "no best.keras"
        raise FileNotFoundError(f"The folder {path} has {what}. Give a .keras file or the folder of a run of keras-ff train.")
    return path / BEST


def astype(model: ForceField, dtype: str) -> ForceField:
    """Copy of a model that computes in another precision; it is not compiled.

    The defaults of the process stay as they are.

    Args:
        model: The `ForceField`.
        dtype: "float32" or "float64".

    Returns:
        A model of the same class. From float32 to float64 its weights have the same values.

    Raises:
        ValueError: If `dtype` is another one.

    Example:
        >>> import keras_ff as kff
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon(dtype="float32"))
        >>> kff.astype(model, "float64").compute_dtype
        'float64'
    """
    check_process()
    if dtype not in ("float32", "float64"):
        raise ValueError(f'A model computes in "float32" or "float64". Received dtype={dtype!r}.')
    copy = type(model).from_config({**_in_dtype(model.get_config(), dtype), "dtype": dtype})
    for new, old in zip(copy.weights, model.weights, strict=True):
        # Not the array itself: on JAX, training one of the two models would delete it.
        new.assign(keras.ops.copy(keras.ops.cast(old, dtype)))
    return copy


def _in_dtype(config, dtype):
    """A configuration with another dtype policy for all layers within; other entries called dtype stay."""
    if isinstance(config, (list, tuple)):
        return type(config)(_in_dtype(item, dtype) for item in config)
    if not isinstance(config, dict):
        return config
    changed = {key: _in_dtype(value, dtype) for key, value in config.items()}
    # The configuration of a layer, as Keras writes it, has the policy of the layer.
    inner = changed.get("config")
    if "class_name" in changed and isinstance(inner, dict) and _is_policy(inner.get("dtype")):
        changed["config"] = {**inner, "dtype": dtype}
    return changed


def _is_policy(value):
    name = value.get("class_name", "") if isinstance(value, dict) else value
    return isinstance(name, str) and ("float" in name or "DTypePolicy" in name)


def _dtype_of(config):
    return keras.dtype_policies.get(config.get("dtype") or keras.config.dtype_policy()).variable_dtype


def write_version(path: str | Path) -> None:
    """Write the version of this library into a model file, where Keras does not look: the comment of the archive.

    Args:
        path: A complete `.keras` file.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = f"keras_ff {version('keras_ff')}".encode()


def writer(path: str | Path) -> str:
    """Versions that wrote a model file, as far as it says, such as "keras_ff 0.1.0 with Keras 3.15.1".

    Args:
        path: A `.keras` file.
    """
    with zipfile.ZipFile(path) as archive:
        ours = archive.comment.decode(errors="replace")[:40] or "an earlier version of keras_ff"
        try:
            return f"{ours} with Keras {str(json.loads(archive.read('metadata.json'))['keras_version'])[:20]}"
        except (KeyError, TypeError, ValueError):
            return ours


def _read_config(path):
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            config = json.loads(archive.read("config.json"))
    except Exception as error:  # zipfile has many for damaged archives.
        raise ValueError(
            f"{path} is not a complete model file ({_short(error)}). A model is written in one piece by `model.save`; "
            "copy it again, or take the last checkpoint of the run."
        ) from error
    if broken:
        raise ValueError(f"{path} is damaged: the part {broken} does not match its checksum. Copy it again.")
    if not isinstance(config, dict):
        raise ValueError(f"{path} holds no model: its configuration is {_short(config)}. It was written by {writer(path)}.")
    if config.get("registered_name") not in ("keras_ff>ForceField", "keras_ff>Ensemble"):
        raise ValueError(f"{path} holds a {_short(config.get('class_name', 'something else'))}, not a ForceField.")
    if not isinstance(config.get("config"), dict):
        raise ValueError(f"{path} holds a ForceField without a configuration. It was written by {writer(path)}.")
    if foreign := sorted(_foreign(config)):
        raise ValueError(
            f"{path} could not be read: it needs {', '.join(foreign)}, neither of keras nor of keras_ff. If you trust it, import "
            "it before you load the model: a class with keras.saving.register_keras_serializable is known once it is imported."
        )
    return config


def _foreign(config):
    """Names of classes and functions in a configuration that are of other packages and not registered, which Keras would import."""
    if isinstance(config, (list, tuple)):
        return set().union(*map(_foreign, config))
    if not isinstance(config, dict):
        return set()
    found = set().union(*map(_foreign, config.values()))
    module, name = config.get("module"), config.get("class_name")
    if isinstance(module, str) and module.partition(".")[0] not in ("keras", "keras_ff", "builtins"):
        known = keras.saving.get_registered_object(str(config.get("registered_name") or name))
        found |= {f"{module}.{name}"} if known is None else set()
    return found


def _short(thing):
    lines = str(thing).strip().splitlines() or [type(thing).__name__]
    return lines[0][:200]
