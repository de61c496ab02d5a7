"""Train a NeuralIL force field on energies, forces and, if asked for, stresses.

Everything lands in one folder: settings, versions and checksums of the data, the log as CSV and for TensorBoard, plots, a report
page, the best model (best.keras, by the loss on the validation set) and the last one. A run that was interrupted, or killed at any
moment, goes on with --resume and ends with the weights that it would have had.

  keras-ff train --train data.xyz                            a tenth of the data validates; 100 epochs
  keras-ff train --train data.xyz --minutes 5                as many epochs as fit in 5 minutes
  keras-ff train --train a.xyz b.db vasp/ --valid v.xyz --test t.xyz --out runs/second
  keras-ff train --train data.xyz --energy-key E_dft --forces-key F_dft
  keras-ff train --train data.xyz --stress-weight 100        learn the stress too (its errors in eV/Å³ are small numbers)
  keras-ff train --train data.xyz --batch-size 32 --devices 4    each of four GPUs takes eight structures of a batch
  keras-ff train --resume runs/second
"""

import argparse
import contextlib
import datetime
import json
import os
from pathlib import Path

from keras_ff_tools.run_folder import RunFolder
from keras_ff_tools.settings import DEFAULT_EPOCHS, Settings


def add_arguments(parser):
    default = {name: field.default for name, field in Settings.__dataclass_fields__.items()}

    def add(group, name, text, **options):
        # Only what was given arrives, so that the defaults stay in Settings.
        group.add_argument(f"--{name}", help=text, default=argparse.SUPPRESS, **options)

    files = parser.add_argument_group(
        "data (extended XYZ, ASE database, VASP output, pymatgen JSON, folder, pattern, file@frames, .h5 of convert)"
    )
    add(files, "train", "files to train on", nargs="+", metavar="FILE")
    add(files, "valid", "files that choose the best model; else a part of the training files", nargs="+", metavar="FILE")
    add(files, "valid-fraction", f"this part, 0 for none (default {default['valid_fraction']})", type=float, metavar="X")
    add(files, "test", "files that the finished model is evaluated on", nargs="+", metavar="FILE")
    for kind in ("energy", "forces", "stress"):
        add(files, f"{kind}-key", f"name of the {kind} in the files, if it is no common one", metavar="NAME")
    model = parser.add_argument_group("model")
    add(model, "species", "chemical symbols (default: those of the training files)", nargs="+", metavar="SYMBOL")
    add(model, "cutoff", f"radius in Å (default {default['cutoff']:g})", type=float, metavar="R")
    add(model, "n-max", f"size of the descriptor (default {default['n_max']})", type=int, metavar="N")
    add(model, "dtype", f"float32 or float64 (default {default['dtype']})", metavar="NAME")
    training = parser.add_argument_group("training")
    length = training.add_mutually_exclusive_group()
    add(length, "epochs", f"length of the run (default {DEFAULT_EPOCHS})", type=int, metavar="N")
    add(length, "minutes", "wall time of the run; epochs are planned to fit", type=float, metavar="M")
    add(training, "batch-size", f"structures in a batch (default {default['batch_size']})", type=int, metavar="N")
    text = f"padded shapes of batches; each is compiled once, more of them pad less (default {default['max_shapes']})"
    add(training, "max-shapes", text, type=int, metavar="N")
    add(
        training,
        "learning-rate",
        f"peak of the one-cycle schedule of Adam (default {default['learning_rate']:g})",
        type=float,
        metavar="X",
    )
    add(training, "devices", f"devices that divide each batch (default {default['devices']})", type=int, metavar="N")
    for kind in ("energy", "forces", "stress"):
        text = f"weight of the {kind} in the loss, 0 leaves it out (default {default[kind + '_weight']:g})"
        add(training, f"{kind}-weight", text, type=float, metavar="X")
    add(training, "seed", f"of weights, order of the data and split (default {default['seed']})", type=int, metavar="N")
    folder = parser.add_argument_group("run folder")
    add(folder, "out", "folder of the run (default runs/DATE_TIME)", metavar="RUN")
    add(folder, "resume", "go on with the run in this folder, with its settings", metavar="RUN")


def run(args):
    given = {name: value for name, value in vars(args).items() if name not in ("verb", "run", "backend", "debug")}
    if "resume" in given:
        folder = RunFolder(given.pop("resume"))
        if given:
            options = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ValueError(f"A resumed run keeps its settings, {folder.settings_file}. Received {options} with --resume.")
        if not args.backend and folder.exists:
            _use_backend(json.loads(folder.settings_file.read_text(encoding="utf-8")).get("backend"))
        resume(folder.path)
    else:
        out = given.pop("out", None) or Path("runs") / f"{datetime.datetime.now():%Y-%m-%d_%H%M%S}"
        train(Settings.from_dict(given), out)


def _use_backend(name):
    import sys

    if name and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name


def train(settings, folder):
    """Train a model in a new run folder.

    Args:
        settings: `Settings`.
        folder: Path of the folder, which must not hold a run.

    Returns:
        `keras_ff_tools.training_run.Result`.

    Raises:
        FileExistsError: If there is a run in the folder.
        ValueError: If settings or data cannot be used; then no folder is made.
    """
    folder = RunFolder(folder)
    folder.refuse_if_used()
    return _finished(settings, folder)


def resume(folder):
    """Go on with the run in a folder; if it is complete, only its evaluation is made again.

    Raises:
        FileNotFoundError: If there is no run in the folder, or its data is gone.
        ValueError: If the data has changed.
    """
    folder = RunFolder(folder)
    settings = folder.settings()
    folder.check_data()
    return _finished(settings, folder)


def _finished(settings, folder):
    from keras_ff.training import data_parallel
    from keras_ff_tools.training_run import TrainingRun

    with data_parallel(settings.devices) if settings.devices > 1 else contextlib.nullcontext():
        return TrainingRun(settings, folder).finish()
