"""The folder of a run: settings, versions, checksums of the data, and the names of all that a run writes."""

import dataclasses
import glob
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

from keras_ff_tools.settings import Settings


class RunFolder:
    """Names of the files of a run.

    Args:
        path: The folder.

    A run is there if `settings.json` is: it is written last, when all input has been accepted.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.settings_file = self.path / "settings.json"
        self.versions_file = self.path / "versions.json"
        self.data_file = self.path / "data.json"
        self.plan_file = self.path / "plan.json"
        self.log = self.path / "log.csv"
        self.tensorboard = self.path / "tensorboard"
        self.state = self.path / "state"
        self.best = self.path / "best.keras"
        self.last = self.path / "last.keras"
        self.plots = self.path / "plots"
        self.report = self.path / "report.html"

    @property
    def exists(self):
        return self.settings_file.exists()

    def refuse_if_used(self):
        """Raise a FileExistsError if a run is there already."""
        if self.exists:
            raise FileExistsError(
                f"{self.path} holds a run already. Continue it with `keras-ff train --resume {self.path}`, or give another "
                "folder with --out."
            )

    def create(self, settings, data):
        """Begin a run.

        Args:
            settings: `Settings`. Files are stored with absolute paths, so that the run can be resumed from anywhere.
            data: What is known of the data, a dictionary for each of "train", "valid", "test", stored with the checksums.
        """
        self.refuse_if_used()
        self.path.mkdir(parents=True, exist_ok=True)
        files = {name: [absolute(file) for file in getattr(settings, name)] for name in ("train", "valid", "test")}
        settings = dataclasses.replace(settings, **files)
        sums = {file: sha256(file) for name in files for source in files[name] for file in source_files(source)}
        write_json(self.data_file, {"sets": data, "sha256": sums})
        write_json(self.versions_file, versions())
        write_json(self.settings_file, settings.to_dict())

    def settings(self):
        """`Settings` of the run.

        Raises:
            FileNotFoundError: If there is no run.
            ValueError: If the file is damaged or of another version.
        """
        if not self.exists:
            raise FileNotFoundError(
                f"There is no run in {self.path}: it has no settings.json. Begin one with keras-ff train --out {self.path}."
            )
        try:
            return Settings.from_dict(json.loads(self.settings_file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.settings_file} cannot be used: {error}") from error

    def plan(self):
        """The epochs that the minutes of the run were turned into: dictionary of "epochs" and "measured", or None."""
        return json.loads(self.plan_file.read_text(encoding="utf-8")) if self.plan_file.exists() else None

    def write_plan(self, epochs, measured):
        write_json(self.plan_file, {"epochs": epochs, "measured": measured})

    def data(self):
        """What `create` was given as `data`, and the checksums."""
        return json.loads(self.data_file.read_text(encoding="utf-8"))

    def versions(self):
        return json.loads(self.versions_file.read_text(encoding="utf-8"))

    def check_data(self):
        """Raise a ValueError if a data file has changed since the run began, FileNotFoundError if it is gone."""
        then = self.data()["sha256"]
        settings = self.settings()
        sources = [*settings.train, *settings.valid, *settings.test]
        now = {file for source in sources for file in source_files(source)}
        if missing := sorted(set(then) - now):
            raise FileNotFoundError(
                f"The run in {self.path} was trained on files that are not there any more: {', '.join(missing)}."
            )
        changed = sorted(now - set(then)) + [file for file in sorted(then) if sha256(file) != then[file]]
        if changed:
            raise ValueError(
                f"The data has changed since the run in {self.path} began, and a resumed run would not be the same: "
                f"{', '.join(changed)}. Put the old files back, or begin a new run with another --out."
            )


def source_files(source):
    """Files behind a source: a file, `file@frames`, a folder (all its files) or a glob pattern."""
    source = str(source)
    if not os.path.exists(source) and os.path.exists(source.rpartition("@")[0]):
        source = source.rpartition("@")[0]
    if os.path.isdir(source):
        return sorted(str(path) for path in Path(source).rglob("*") if path.is_file())
    if os.path.exists(source):
        return [source]
    return sorted(file for file in glob.glob(source, recursive=True) if os.path.isfile(file))


def absolute(source):
    return os.path.abspath(source)


def sha256(path):
    """Checksum of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions():
    """Versions of the library, of what it runs on, and the machine."""
    import keras

    import keras_ff

    backend = keras.config.backend()
    found = {"keras_ff": keras_ff.__version__, "python": platform.python_version(), "backend": backend}
    for name in ("keras", backend, "jaxlib", "numpy", "ase", "vesin"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        **found,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "device": _device(backend),
    }


def _device(backend):
    """Where the arrays live, in the words of the backend."""
    module = sys.modules.get(backend)
    if backend == "jax":
        return ", ".join(str(device) for device in module.devices())
    gpus = module.config.list_physical_devices("GPU")
    return ", ".join(gpu.name for gpu in gpus) or "CPU"


def write_json(path, content):
    """Write a JSON file, whole or not at all."""
    from keras_ff.files import replace_when_complete  # Imports Keras, which --help is not to wait for.

    with replace_when_complete(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def cache_folder():
    """Where compiled functions are kept between processes; `KERAS_FF_CACHE` names another folder."""
    if os.environ.get("KERAS_FF_CACHE"):
        return Path(os.environ["KERAS_FF_CACHE"])
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "keras_ff"
