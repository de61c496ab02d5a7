"""Train a force field on energies, forces and, if asked for, stresses: a new NeuralIL, or any saved model.

Everything lands in one folder: settings, versions and checksums of the data, the log as CSV and for TensorBoard, plots, a report
page, and best.keras: the last model, or that with the lowest validation loss if it is better beyond doubt. A run that was
interrupted, or killed at any moment, continues with --resume and ends with the weights that it would have had.

  keras-ff train --train data.xyz                            a tenth of the data validates; 100 epochs
  keras-ff train --train data.xyz --minutes 5                as many epochs as fit in 5 minutes
  keras-ff train --train a.xyz b.db vasp/ --valid v.xyz --test t.xyz --out runs/second
  keras-ff train --train data.xyz --energy-key E_dft --forces-key F_dft
  keras-ff train --train data.xyz --stress-weight 100        learn the stress too (its errors in eV/Å³ are small numbers)
  keras-ff train --train data.xyz --config-type-weights '{"Default": 1.0, "dimer": 0.1}'    by config_type in the files
  keras-ff train --train data.xyz --batch-size 32 --devices 4    each of four GPUs takes eight structures of a batch
  keras-ff train --resume runs/second

Weights in the files (config_weight, config_energy_weight, config_forces_weight, config_stress_weight) count in the loss: a
structure with the weight 2 counts as two copies of it, one with the weight 0 is left out. They do not count in MAE and RMSE.

A saved model of any kind (Stillinger-Weber, splines, sums, committees, also one that was trained before) is trained further with
--start. It keeps its species, cutoff and descriptor, its weights and its reference energies; --adapt first fits reference energies
and the statistics of descriptors to the training set, as a model that was never trained needs.

  keras-ff train --start runs/first --train more.xyz --learning-rate 1e-3
  keras-ff train --start silicon_sw.keras --adapt --train data.xyz
"""

import argparse
import datetime
import os
import shlex
import sys
from pathlib import Path

from keras_ff_tools.arguments import KINDS, add_force, add_reading
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import DEFAULT_EPOCHS, NEW_MODEL, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    default = {name: field.default for name, field in Settings.model_fields.items()} | NEW_MODEL

    def add(group, name, text, **options):
        # Only what was given arrives, so that the defaults stay in Settings.
        group.add_argument(f"--{name}", help=text, default=argparse.SUPPRESS, **options)

    files = parser.add_argument_group(
        "data (extended XYZ, ASE database, VASP output, pymatgen JSON, folder, pattern, file@frames, .h5 of convert)"
    )
    add(files, "train", "files to train on", nargs="+", metavar="FILE")
    add(files, "valid", "files that choose the best model; else a fraction of the training files", nargs="+", metavar="FILE")
    add(files, "valid-fraction", f"this fraction, 0 for none (default {default['valid_fraction']})", type=float, metavar="X")
    add(files, "test", "files that the finished model is evaluated on", nargs="+", metavar="FILE")
    add_reading(files, default=argparse.SUPPRESS)
    add(files, "skip-bad", "leave broken frames out and continue", action="store_true")
    add_force(files, default=argparse.SUPPRESS)
    start = parser.add_argument_group("a saved model")
    add(start, "start", ".keras file, or folder of a run, to train further", metavar="MODEL")
    add(start, "adapt", "first fit its reference energies and statistics to the training set", action="store_true")
    model = parser.add_argument_group("a new model (without --start)")
    add(model, "species", "chemical symbols (default: those of the training files)", nargs="+", metavar="SYMBOL")
    add(model, "cutoff", f"radius in Å (default {default['cutoff']:g})", type=float, metavar="R")
    add(model, "n-max", f"size of the descriptor (default {default['n_max']})", type=int, metavar="N")
    training = parser.add_argument_group("training")
    length = training.add_mutually_exclusive_group()
    add(length, "epochs", f"length of the run (default {DEFAULT_EPOCHS})", type=int, metavar="N")
    add(length, "minutes", "wall time of the run; epochs are planned to fit", type=float, metavar="M")
    add(training, "batch-size", f"structures in a batch (default {default['batch_size']})", type=int, metavar="N")
    text = f"padded shapes of batches; each is compiled once, more of them pad less (default {default['max_shapes']})"
    add(training, "max-shapes", text, type=int, metavar="N")
    text = f"peak of the one-cycle schedule of Adam (default {default['learning_rate']:g})"
    add(training, "learning-rate", text, type=float, metavar="X")
    text = f"float32 or float64 (default {default['dtype']}, or that of the saved model)"
    add(training, "dtype", text, metavar="NAME")
    add(training, "devices", f"devices that divide each batch (default {default['devices']})", type=int, metavar="N")
    for kind in KINDS:
        text = f"weight of the {kind} in the loss, 0 leaves it out (default {default[kind + '_weight']:g})"
        add(training, f"{kind}-weight", text, type=float, metavar="X")
    text = 'weights of structures by their config_type, such as \'{"Default": 1.0, "dimer": 0.1}\'; Default are those without one'
    add(training, "config-type-weights", text, metavar="DICT")
    add(training, "seed", f"of new weights, order of the data and split (default {default['seed']})", type=int, metavar="N")
    folder = parser.add_argument_group("run folder")
    add(folder, "out", "folder of the run (default runs/DATE_TIME)", metavar="RUN")
    add(folder, "resume", "continue the run in this folder, with its settings", metavar="RUN")


def run(args: argparse.Namespace) -> None:
    """Train, or continue a run; Ctrl-C says how to go on."""
    out = vars(args).get("resume") or vars(args).get("out")
    out = Path(out or Path("runs") / f"{datetime.datetime.now():%Y-%m-%d_%H%M%S}")
    try:
        _run(args, out)
    except KeyboardInterrupt:
        if RunFolder(out).exists:
            print(f"\nGo on after the last complete epoch with: keras-ff train --resume {shlex.quote(str(out))}", file=sys.stderr)
        raise


def _run(args, out):
    given = {name: value for name, value in vars(args).items() if name not in ("verb", "run", "backend", "debug", "modules")}
    if "resume" in given:
        folder = RunFolder(given.pop("resume"))
        if given:
            options = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ValueError(f"A resumed run keeps its settings, {folder.settings_file}. Received {options} with --resume.")
        if not args.backend and folder.exists:
            _use_backend(folder.settings().backend)
        from keras_ff_tools.run.training import resume

        resume(folder.path)
    else:
        given.pop("out", None)
        settings = Settings(**given)
        from keras_ff_tools.run.training import train

        train(settings, out)


def _use_backend(name):
    if name and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name
