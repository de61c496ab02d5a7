"""Weights & Biases and MLflow: their own Keras callbacks, and a run of theirs that continues with ours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from keras_ff_tools.run.files import read_json, write_json

if TYPE_CHECKING:
    import keras

    from keras_ff_tools.run.folder import RunFolder
    from keras_ff_tools.run.settings import Settings

# Package to install, and module of the callback.
MODULES = {"wandb": "wandb.integration.keras", "mlflow": "mlflow.keras"}


def check_trackers(settings: Settings) -> None:
    """Raise an ImportError that says what to install, if a package is missing."""
    for name in settings.log:
        try:
            importlib.import_module(MODULES[name])
        except ImportError as error:
            raise ImportError(
                f"--log {name} needs the package {name}, which is not installed: pip install {name}. ({error})"
            ) from None


def trackers(settings: Settings, folder: RunFolder) -> list[keras.callbacks.Callback]:
    """Callbacks of the services that a run logs to, whose runs are begun, or continued.

    Where they log is said in the environment, as their documentation says: WANDB_PROJECT, WANDB_MODE, MLFLOW_TRACKING_URI,
    MLFLOW_EXPERIMENT_NAME.

    Args:
        settings: Settings of the run, which are shown there.
        folder: Its folder, where the numbers of their runs are kept.
    """
    known = read_json(folder.trackers) if folder.trackers.exists() else {}
    callbacks, values = [], {name: value for name, value in settings.to_dict().items() if value not in (None, [])}
    for name in settings.log:
        number, callback = _BEGIN[name](known.get(name), folder, values)
        known[name] = number
        callbacks.append(callback)
    if settings.log:
        write_json(folder.trackers, known)
    return callbacks


def end_trackers(settings: Settings) -> None:
    """Tell the services that the training is over."""
    for name in settings.log:
        module = importlib.import_module(name)
        (module.finish if name == "wandb" else module.end_run)()


def _wandb(number, folder, values):
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    run = wandb.init(id=number, resume="allow", name=folder.path.name, dir=str(folder.path), config=values)
    return run.id, WandbMetricsLogger()


def _mlflow(number, folder, values):
    import mlflow
    from mlflow.keras import MlflowCallback

    run = mlflow.start_run(run_id=number, run_name=folder.path.name)
    if number is None:
        mlflow.log_params(values)
    return run.info.run_id, MlflowCallback()


_BEGIN = {"wandb": _wandb, "mlflow": _mlflow}
