"""Train a force field on energies, forces and, if asked for, stresses: a network, splines, a classical potential, or a saved model.

Everything lands in one folder: settings, versions and checksums of the data, the log as CSV and for TensorBoard, plots, a report
page, and best.keras: the last model, or that with the lowest validation loss if it is better beyond doubt. A run that was
interrupted, or killed at any moment, continues with --resume and ends with the weights that it would have had.

  keras-ff train --train data.xyz                            a tenth of the data validates; 100 epochs
  keras-ff train --train data.xyz --minutes 5                as many epochs as fit in 5 minutes
  keras-ff train --train a.xyz b.db vasp/ --valid v.xyz --test t.xyz --out runs/second
  keras-ff train --train data.xyz --energy-key E_dft --forces-key F_dft
  keras-ff train --train data.xyz --stress-weight 100        learn the stress too (its errors in eV/Å³ are small numbers)
  keras-ff train --train data.xyz --batch-size 32 --devices 4    each of four GPUs takes eight structures of a batch
  keras-ff train --resume runs/second
  keras-ff train --config runs/second/config.yaml --seed 1 --out runs/third    the same settings but for one

What is trained is a new NeuralIL, or what --potential names. Classical potentials begin with the parameters of a file of LAMMPS,
or with published ones where there are some for the elements of the data.

  keras-ff train --train data.xyz --members 5                a committee, which knows how sure it is
  keras-ff train --train data.xyz --potential spline-network
  keras-ff train --train data.xyz --potential sw --train-parameters A,B,lam
  keras-ff train --train data.xyz --potential GaN.tersoff

Networks know nothing of distances that no structure has. --core adds a repulsion there, which by default is there where the data
show no close contacts; the log says what was added and why.

Energies of free atoms are the reference of all others: isolated atoms in the data are taken, and the energies of other elements are
fitted. Where all structures have one composition, give them, or energies of other compositions are arbitrary.

  keras-ff train --train data.xyz --reference-energies atoms.xyz        isolated atoms; or a table, {O: -1.9} in JSON or YAML

A saved model of any kind (Stillinger-Weber, splines, sums, committees, also one that was trained before) is trained further with
--start. It keeps its species, cutoff and descriptor, its weights and its reference energies; --adapt first fits reference energies
and the statistics of descriptors to the training set, as a model that was never trained needs. --replay mixes in old data, so that
they are not forgotten, and --freeze names parts that stay as they are.

  keras-ff train --start runs/first --train more.xyz --replay data.xyz@::10 --learning-rate 1e-3
  keras-ff train --start runs/first --train more.xyz --freeze descriptor,embedding
  keras-ff train --start preset:silicon_stillinger_weber --train-parameters A,B,lam --adapt --train data.xyz

Weights in the files (config_weight, config_energy_weight, config_forces_weight, config_stress_weight) count in the loss: a
structure with the weight 2 counts as two copies of it, one with the weight 0 is left out. They do not count in MAE and RMSE.
"""

import argparse
import datetime
import os
import shlex
import sys
from pathlib import Path

from keras_ff_tools.arguments import option
from keras_ff_tools.run.config import read_config
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.options import add_settings
from keras_ff_tools.run.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    output = add_settings(parser)["output"]
    suppress = {"default": argparse.SUPPRESS}
    output.add_argument("--out", help="folder of the run (default runs/DATE_TIME)", metavar="RUN", **suppress)
    output.add_argument("--resume", help="continue the run in this folder, with its settings", metavar="RUN", **suppress)
    output.add_argument("--config", help="settings of a YAML file, such as config.yaml of a run folder", metavar="FILE", **suppress)


def run(args: argparse.Namespace) -> None:
    """Train, or continue a run; Ctrl-C says how to continue."""
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
            options = ", ".join(map(option, given))
            raise ValueError(f"A resumed run keeps its settings, {folder.settings_file}. Received {options} with --resume.")
        if not args.backend and folder.exists:
            _use_backend(folder.settings().backend)
        from keras_ff_tools.run.training import resume

        resume(folder.path)
    else:
        given.pop("out", None)
        config = given.pop("config", None)
        settings = Settings(**given) if config is None else read_config(config, given)
        if not args.backend:
            _use_backend(settings.backend)
        from keras_ff_tools.run.training import train

        train(settings, out)


def _use_backend(name):
    if name and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name
