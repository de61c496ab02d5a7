"""What a model, a run or a data file holds.

A model: species, cutoff, parameters, dtype, versions, checksum. A run folder: the same of its best model, the settings and how far
it has come. Data: structures, labels, neighbors, and doubts about units, signs, copies and outliers.

  keras-ff info silicon.keras
  keras-ff info runs/first
  keras-ff info data.xyz --cutoff 5
"""

import argparse
import json
import os
import zipfile
from pathlib import Path

from keras_ff_tools.arguments import add_reading, leave_to_the_report, reading, spelled
from keras_ff_tools.run.files import read_log
from keras_ff_tools.run.folder import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument(
        "source", metavar="MODEL_OR_DATA", help="a .keras file, a run folder, preset:NAME, or anything that holds structures"
    )
    parser.add_argument("--cutoff", type=float, default=5.0, metavar="R", help="cutoff of the neighbor lists in Å (default 5)")
    add_reading(parser)


def run(args: argparse.Namespace) -> None:
    """Print what the source holds."""
    from keras_ff.models.preset_files import is_preset, preset_file

    folder = RunFolder(args.source)
    if folder.exists:
        describe_run(folder)
    elif is_preset(args.source):
        describe_model(preset_file(args.source))
    elif Path(args.source).suffix == ".keras":
        describe_model(Path(args.source))
    else:
        describe_data(args)


def describe_model(path: str | os.PathLike) -> None:
    """Print what a model file holds."""
    import keras_ff as kff
    from keras_ff.files import checksum_of
    from keras_ff.models.files import writer
    from keras_ff_tools.run.model import kind
    from keras_ff_tools.run.parts import trained_and_frozen
    from keras_ff_tools.run.references import open_combinations, told

    path = Path(path)
    model = kff.load(path)
    rows = {
        "model": path,
        "potential": kind(model),
        "species": ", ".join(model.species),
        "cutoff": f"{model.cutoff:g} Å",
        "parameters": f"{model.count_params()}; {trained_and_frozen(model)}",
        "dtype": model.compute_dtype,
        "reference": told(model),
        **({"arbitrary": text} if (text := open_combinations(model)) else {}),
        "format": model.get_config()["format"],
        "written": f"{_date(path)} by {writer(path)}",
        "size": f"{path.stat().st_size / 1024:.0f} KiB",
        "sha256": checksum_of(path),
    }
    if getattr(model, "optimizer", None) is not None:
        rows["optimizer"] = f"{type(model.optimizer).__name__}, {int(model.optimizer.iterations)} steps"
    _print(rows)


def describe_run(folder: RunFolder) -> None:
    """Print what a run folder holds."""
    settings = folder.settings()
    if folder.best.exists():
        describe_model(folder.best)
        print()
    _print({"run": folder.path, "epochs": _progress(folder)})
    _print({f"  {name}": value for name, value in settings.to_dict().items() if value not in (None, (), [])})
    print("versions")
    _print({f"  {name}": value for name, value in folder.versions().items()})


def describe_data(args: argparse.Namespace) -> None:
    """Print what data holds, and doubts about it."""
    from keras_ff import data
    from keras_ff_tools.run.data import species_of
    from keras_ff_tools.run.doubts import CHECKED, print_doubts

    if args.source.endswith(".h5"):
        structures = data.CachedStructures(args.source)
        args.cutoff = structures.cutoff
    else:
        leave_to_the_report()
        structures, report = data.read_with_report(args.source, **reading(args))
        print(spelled(str(report)))
    print(data.Dataset(structures, data.Batcher(species_of(structures), args.cutoff)).report())
    print_doubts([structures[index] for index in range(min(len(structures), CHECKED))], len(structures))


def _date(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json"))["date_saved"])[:40]
    except (KeyError, TypeError, ValueError):
        return "unknown"


def _progress(folder):
    log = read_log(folder.log) if folder.log.exists() else {}
    if not log.get("loss"):
        return "none yet"
    name = "val_loss" if "val_loss" in log else "loss"
    return f"{len(log['loss'])}, best {name} {min(log[name]):.4g}"


def _arrays(weights):
    import keras

    return [keras.ops.convert_to_numpy(weight.value) for weight in weights]


def _print(rows):
    for name, value in rows.items():
        text = ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else value
        print(f"{name:<18} {text}")
