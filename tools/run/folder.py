"""The folder of a run: settings, versions, checksums of the data, and the names of all that a run writes."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from keras_ff_tools.run.config import read_config, write_config
from keras_ff_tools.run.files import read_json, source_files, write_json
from keras_ff_tools.run.settings import Settings

# Settings that may change while a run continues: its length, where it is computed, and where it is shown.
FREE = ("epochs", "minutes", "backend", "devices", "log")

# Settings that name files of structures.
SETS = ("train", "valid", "test", "replay")

# The settings of a run of an earlier version.
OLD_SETTINGS = "settings.json"


class RunFolder:
    """Names of the files of a run.

    A run is there if `config.yaml` is: it is written last, when all input has been accepted.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.settings_file = self.path / "config.yaml"
        if not self.settings_file.exists() and (self.path / OLD_SETTINGS).exists():
            self.settings_file = self.path / OLD_SETTINGS
        self.versions_file = self.path / "versions.json"
        self.data_file = self.path / "data.json"
        self.plan_file = self.path / "plan.json"
        self.log = self.path / "log.csv"
        self.tensorboard = self.path / "tensorboard"
        self.state = self.path / "state"
        self.start = self.path / "start.keras"
        self.trackers = self.path / "trackers.json"
        self.best = self.path / "best.keras"
        self.last = self.path / "last.keras"
        self.lowest = self.path / "lowest_loss.keras"
        self.plots = self.path / "plots"
        self.report = self.path / "report.html"

    @property
    def exists(self) -> bool:
        """Whether a run is there."""
        return self.settings_file.exists()

    def refuse_if_used(self) -> None:
        """Raise a FileExistsError if a run is there already."""
        if self.exists:
            raise FileExistsError(
                f"{self.path} holds a run already. Continue it with `keras-ff train --resume {self.path}`, or give another "
                "folder with --out."
            )

    def create(self, settings: Settings, data: dict[str, dict]) -> None:
        """Begin a run.

        The model that it starts from, if any, is copied into the folder, so that the run does not depend on what becomes of it.

        Args:
            settings: Settings of the run. Files are stored with absolute paths, so that it can be resumed from anywhere.
            data: What is known of the data, a dictionary for each of "train", "valid", "test", stored with the checksums.
        """
        # Chooses a backend, before --backend is read if it stood above.
        from keras_ff.files import checksum_of, replace_when_complete
        from keras_ff.models.files import model_file

        self.refuse_if_used()
        self.path.mkdir(parents=True, exist_ok=True)
        files = {name: [os.path.abspath(file) for file in getattr(settings, name)] for name in SETS}
        sums = {file: checksum_of(file) for name in files for source in files[name] for file in source_files(source)}
        begin = self.begin(settings)
        if begin:
            with replace_when_complete(begin) as part:
                shutil.copyfile(model_file(settings.start or settings.potential_file), part)
            name = "start" if settings.start else "potential"
            files[name] = os.path.abspath(getattr(settings, name))
        settings = settings.replaced(**files)
        job = {"settings": settings.to_dict(), "start": checksum_of(begin) if begin else None}
        write_json(self.data_file, {"sets": data, "sha256": sums, "job": job})
        write_json(self.versions_file, versions())
        write_config(self.settings_file, settings)

    def begin(self, settings: Settings) -> Path | None:
        """Where the run keeps its copy of the file that the model begins with: a saved model, or a parameter file of LAMMPS."""
        if settings.potential_file:
            return self.path / f"potential{Path(settings.potential_file).suffix}"
        return self.start if settings.start else None

    def settings(self) -> Settings:
        """Settings of the run.

        Raises:
            FileNotFoundError: If there is no run.
            ValueError: If the file is damaged or of another version.
        """
        if not self.exists:
            raise FileNotFoundError(
                f"There is no run in {self.path}: it has no config.yaml. Begin one with keras-ff train --out {self.path}."
            )
        # Runs of earlier versions had no core.
        return read_config(self.settings_file, {"core": "none"} if self.settings_file.name == OLD_SETTINGS else None)

    def plan(self) -> dict[str, int] | None:
        """The epochs that the minutes of the run were turned into: dictionary of "epochs" and "measured", or None.

        Raises:
            ValueError: If the file is damaged.
        """
        if not self.plan_file.exists():
            return None
        plan = read_json(self.plan_file)
        if set(plan) != {"epochs", "measured"} or not all(type(count) is int and count >= 0 for count in plan.values()):
            raise ValueError(f"{self.plan_file} is damaged: it holds {plan}, not the numbers of epochs. Restore it from a copy.")
        return plan

    def write_plan(self, epochs: int, measured: int) -> None:
        """Keep the number of epochs that were planned, and of those that were measured before."""
        write_json(self.plan_file, {"epochs": epochs, "measured": measured})

    def data(self) -> dict[str, dict]:
        """What `create` was given as `data` under "sets", and the checksums of the files under "sha256".

        Raises:
            ValueError: If the file is damaged.
        """
        data = read_json(self.data_file)
        if not all(isinstance(data.get(name), dict) for name in ("sets", "sha256")):
            raise ValueError(f"{self.data_file} is damaged: it has no sets or checksums. Restore it from a copy.")
        return data

    def versions(self) -> dict[str, Any]:
        """Versions and machine of the beginning of the run, see `versions`."""
        return read_json(self.versions_file)

    def check_job(self) -> None:
        """Compare settings and starting model with those of the beginning of the run; it may become longer, or move.

        Raises:
            ValueError: If they have changed.
        """
        from keras_ff.files import checksum_of, differences

        job = self.data().get("job")
        if not isinstance(job, dict) or not isinstance(job.get("settings"), dict):
            return  # The folder of an earlier version.
        # A later version may have more settings, with defaults.
        then = {name: value for name, value in job["settings"].items() if name not in FREE}
        settings = self.settings()
        now, begin = settings.to_dict(), self.begin(settings)
        found = differences(then, {name: now.get(name) for name in then})
        if job.get("start") and (begin is None or not begin.exists() or checksum_of(begin) != job["start"]):
            found.append(f"{begin} is another model or gone")
        if found:
            raise ValueError(
                f"The run in {self.path} began with other settings, and its state is not one of these. What differs: "
                f"{'; '.join(found)}. Put the old ones back, or begin a new run with another --out."
            )

    def check_data(self) -> None:
        """Compare the data files with those of the beginning of the run.

        Raises:
            FileNotFoundError: If one is gone.
            ValueError: If one has changed.
        """
        from keras_ff.files import checksum_of

        then = self.data()["sha256"]
        settings = self.settings()
        sources = [source for name in SETS for source in getattr(settings, name)]
        now = {file for source in sources for file in source_files(source)}
        if missing := sorted(set(then) - now):
            raise FileNotFoundError(
                f"The run in {self.path} was trained on files that are not there any more: {', '.join(missing)}."
            )
        changed = sorted(now - set(then)) + [file for file in sorted(then) if checksum_of(file) != then[file]]
        if changed:
            raise ValueError(
                f"The data has changed since the run in {self.path} began, and a resumed run would not be the same: "
                f"{', '.join(changed)}. Put the old files back, or begin a new run with another --out."
            )


def versions() -> dict[str, Any]:
    """Versions of the library and of what it runs on, and the machine."""
    import keras

    import keras_ff

    backend = keras.config.backend()
    known = {"keras_ff": keras_ff.__version__, "python": platform.python_version(), "backend": backend}
    for name in ("keras", backend, "jaxlib", "numpy", "ase", "vesin"):
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        **known,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "device": _device(backend),
    }


def _device(backend: str) -> str:
    """Where the arrays live, in the words of the backend."""
    module = sys.modules.get(backend)
    if backend == "jax":
        return ", ".join(str(device) for device in module.devices())
    gpus = module.config.list_physical_devices("GPU")
    return ", ".join(gpu.name for gpu in gpus) or "CPU"
