"""Errors of NeuralIL with its default settings after some minutes of training: `keras-ff benchmark accuracy`."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_ff_tools.benchmarks.measure import mlearn_file, peak, row
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.training import TrainingRun


def element(elements: Sequence[str], data: str, minutes: float, out: str, **settings: Any) -> None:
    """Train on the training set of an element of mlearn, and evaluate on its test set.

    Args:
        elements: The element, alone in a list.
        data: Folder of the mlearn set.
        minutes: Wall time of the training.
        out: Folder of the runs.
        settings: Other settings of the run.
    """
    (symbol,) = elements
    train, test = (mlearn_file(data, symbol, part) for part in ("train", "test"))
    train_and_test(symbol, train, test, minutes, out, species=(symbol,), **settings)


def train_and_test(name: str, train: str, test: str, minutes: float, out: str, groups: bool = False, **settings: Any) -> None:
    """Print the errors of a run on its test set.

    Args:
        name: Name of the system, and of the folder of the run.
        train: File of the training set.
        test: File of the test set.
        minutes: Wall time of the training.
        out: Folder of the runs.
        groups: Print a row for each group of structures too.
        settings: Other settings of the run.
    """
    folder = Path(out) / name
    shutil.rmtree(folder, ignore_errors=True)
    length = {} if "epochs" in settings else {"minutes": minutes}
    run = TrainingRun(Settings(train=train, test=test, valid_fraction=0.0, **length, **settings), RunFolder(folder))
    predictions = run.finish().predictions
    errors = {(one["group"], one["label"]): f"{one['mae']:.2f} ({one['rmse']:.2f})" for one in predictions.errors()}
    row(
        f"{name}: test MAE (RMSE), {minutes} min of training",
        f"{errors['all', 'energy']} meV/atom, {errors['all', 'forces']} meV/Å; {time.process_time():.0f} CPU s, "
        f"{time.monotonic() - run.began:.0f} s wall, peak {peak():.0f} MB",
    )
    for group in sorted({group for group, _ in errors} - {"all"}) if groups else ():
        row(f"{name}, {group} structures", f"{errors[group, 'energy']} meV/atom, {errors[group, 'forces']} meV/Å")
