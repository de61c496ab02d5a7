"""Errors of NeuralIL on ethylammonium nitrate after some minutes of training: `keras-ff benchmark ean`."""

import json
from pathlib import Path
from typing import Any

from ase.io import read, write

from keras_ff_tools.benchmarks.accuracy import train_and_test

# The number of features grows with the square of n_max and of the number of elements.
SETTINGS = {"species": ("C", "H", "N", "O"), "n_max": 4}


def accuracy(data: str, minutes: float, out: str, **settings: Any) -> None:
    """Train on the frozen split of the published validation set, and evaluate.

    Args:
        data: Folder of ean_validation.xyz and ean_split_60_15.json.
        minutes: Wall time of the training.
        out: Folder of the runs.
        settings: Other settings of the run.
    """
    train_and_test("EAN", *split(Path(data), Path(out)), minutes, out, groups=True, **{**SETTINGS, **settings})


def split(data: Path, out: Path) -> list[str]:
    """Files of the training and of the test set; the kind of a structure becomes its group."""
    structures = read(data / "ean_validation.xyz", ":")
    indices = json.loads((data / "ean_split_60_15.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for part in ("train", "test"):
        chosen = [structures[index] for index in indices[part]]
        for atoms in chosen:
            atoms.info["group"] = atoms.info["kind"]
        files.append(str(out / f"ean_{part}.xyz"))
        write(files[-1], chosen)
    return files
