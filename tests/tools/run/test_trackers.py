"""Weights & Biases and MLflow, in whose place modules of the same names stand."""

import sys
from types import ModuleType, SimpleNamespace

import keras
import pytest

from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.trackers import check_trackers, end_trackers, trackers


class Told(keras.callbacks.Callback):
    """Stands for the callbacks of both."""


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the services."""
    calls = []
    wandb, mlflow = ModuleType("wandb"), ModuleType("mlflow")
    wandb.init = lambda **values: calls.append(("wandb", values)) or SimpleNamespace(id="w1")
    wandb.finish = lambda: calls.append(("wandb", "finish"))
    run = SimpleNamespace(info=SimpleNamespace(run_id="m1"))
    mlflow.start_run = lambda **values: calls.append(("mlflow", values)) or run
    mlflow.log_params = lambda values: calls.append(("mlflow", sorted(values)[:2]))
    mlflow.end_run = lambda: calls.append(("mlflow", "end"))
    modules = {"wandb": wandb, "mlflow": mlflow, "mlflow.keras": ModuleType("mlflow.keras")}
    modules |= {
        "wandb.integration": ModuleType("wandb.integration"),
        "wandb.integration.keras": ModuleType("wandb.integration.keras"),
    }
    modules["wandb.integration.keras"].WandbMetricsLogger = modules["mlflow.keras"].MlflowCallback = Told
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_a_resumed_run_continues_theirs(calls, tmp_path):
    settings, folder = Settings(train="a.xyz", log=["wandb", "mlflow"]), RunFolder(tmp_path)
    check_trackers(settings)
    assert [type(one) for one in trackers(settings, folder)] == [Told, Told]
    (_, first), *_ = calls
    assert first["id"] is None and first["name"] == tmp_path.name and first["config"]["size"] == "default"
    assert calls[1:] == [("mlflow", {"run_id": None, "run_name": tmp_path.name}), ("mlflow", ["adapt", "batch_size"])]
    calls.clear()
    trackers(settings, folder)
    assert [values.get("id", values.get("run_id")) for _, values in calls] == ["w1", "m1"]
    calls.clear()
    end_trackers(settings)
    assert calls == [("wandb", "finish"), ("mlflow", "end")]


def test_nothing_is_begun_without_them(tmp_path):
    settings = Settings(train="a.xyz")
    check_trackers(settings)
    assert trackers(settings, RunFolder(tmp_path)) == [] and not list(tmp_path.iterdir())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match="--log wandb needs the package wandb.*pip install wandb"):
        check_trackers(Settings(train="a.xyz", log="wandb"))
