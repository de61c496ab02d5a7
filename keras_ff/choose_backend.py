"""Choice of the backend of Keras, made before Keras is imported.

Keras reads `KERAS_BACKEND` once, at its first import, and then fails far from
the cause if that backend is not installed or cannot differentiate. This module
checks it before, and imports neither Keras nor a backend to do so.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

BACKENDS = ("jax", "tensorflow")
# Keras writes this file at its first import, whatever backend it then runs on: nobody has chosen it.
UNCHOSEN = {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}


def check_backend() -> str:
    """Make sure that Keras runs on JAX or TensorFlow, and choose one of them if the user did not.

    In this order: a Keras that is already imported keeps its backend; the
    environment variable `KERAS_BACKEND` names the backend; the file `keras.json` (in
    `$KERAS_HOME` or `~/.keras`) counts if it names an installed one of the two and
    is not as Keras writes it by itself; otherwise the installed one is chosen,
    JAX before TensorFlow, by setting `KERAS_BACKEND`.

    Returns:
        "jax" or "tensorflow".

    Raises:
        ValueError: If the backend is another one, such as torch or numpy.
        ImportError: If the backend is not installed.

    Example:
        >>> check_backend() in BACKENDS
        True
    """
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "config"):
        return _accept(sys.modules["keras"].config.backend(), "Keras was imported before keras_ff, with the backend")
    if os.environ.get("KERAS_BACKEND"):
        return _accept(os.environ["KERAS_BACKEND"], "The environment variable KERAS_BACKEND names")
    installed = [name for name in BACKENDS if is_installed(name)]
    configured = _configured_backend()
    if configured in installed:
        return configured
    if not installed:
        raise ImportError(f"keras_ff needs JAX or TensorFlow, and neither is installed. {_how_to_install(BACKENDS)}")
    os.environ["KERAS_BACKEND"] = installed[0]
    return installed[0]


def is_installed(backend: str) -> bool:
    """Whether a package is installed; it is not imported.

    Args:
        backend: Name of the package, such as "jax".

    Returns:
        Boolean.
    """
    if backend in sys.modules:
        return sys.modules[backend] is not None
    spec = importlib.util.find_spec(backend)
    # A folder with the name jax has a specification without a file.
    return spec is not None and spec.origin is not None


def _accept(backend, where):
    if backend not in BACKENDS:
        raise ValueError(
            f"keras_ff runs on the Keras backends jax and tensorflow. {where} {backend!r}. "
            "Set KERAS_BACKEND=jax or KERAS_BACKEND=tensorflow in the environment before Python starts, "
            'or os.environ["KERAS_BACKEND"] = "jax" before the first import of keras or keras_ff.'
        )
    if not is_installed(backend):
        others = [name for name in BACKENDS if is_installed(name)]
        instead = f" Or set KERAS_BACKEND={others[0]}, which is installed." if others else ""
        raise ImportError(f"{where} {backend!r}, which is not installed. {_how_to_install([backend])}{instead}")
    return backend


def _how_to_install(backends):
    return "Install it with " + " or ".join(f'pip install "keras_ff[{name}]"' for name in backends) + "."


def _configured_backend():
    """Backend in the configuration file of Keras, or None if nobody has chosen one there."""
    home = os.environ.get("KERAS_HOME")
    folder = Path(home).expanduser() if home else Path.home() / ".keras"
    try:
        configured = json.loads((folder / "keras.json").read_text())
        return None if configured == UNCHOSEN else configured.get("backend")
    except (OSError, ValueError, AttributeError):
        return None
