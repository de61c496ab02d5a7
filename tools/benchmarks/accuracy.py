"""One training run and its errors: `python -m keras_ff_tools.benchmark_accuracy NAME DATA MINUTES OUT`."""

import json
import resource
import shutil
import sys
import time
from pathlib import Path

from ase.io import read, write

from keras_ff_tools.run_folder import RunFolder
from keras_ff_tools.settings import Settings
from keras_ff_tools.training_run import TrainingRun

# The number of features grows with the square of n_max and of the number of elements.
EAN = {"species": ("C", "H", "N", "O"), "n_max": 4}


def main(name, data, minutes, out):
    data, folder = Path(data), Path(out) / name
    shutil.rmtree(folder, ignore_errors=True)
    if name == "EAN":
        train, test, options = *split_ean(data, Path(out)), EAN
    else:
        train, test = (
            next(iter(sorted(data.glob(f"{name}_{part}.xyz*"))), data / f"{name}_{part}.xyz") for part in ("train", "test")
        )
        options = {"species": (name,)}
    settings = Settings(train=(str(train),), test=(str(test),), valid_fraction=0.0, minutes=float(minutes), **options)
    run = TrainingRun(settings, RunFolder(folder))
    result = run.finish()
    errors = {(row["group"], row["label"]): f"{row['mae']:.2f} ({row['rmse']:.2f})" for row in result.predictions.errors()}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"| {name}: test MAE (RMSE), {minutes} min of training | "
        f"{errors['all', 'energy']} meV/atom, {errors['all', 'forces']} meV/Å; "
        f"{time.process_time():.0f} CPU s, {time.monotonic() - run.began:.0f} s wall, peak {usage.ru_maxrss / 1024:.0f} MB |"
    )
    for group in sorted(set(result.predictions.groups)) if name == "EAN" else ():
        print(f"| {name}, {group} structures | {errors[group, 'energy']} meV/atom, {errors[group, 'forces']} meV/Å |")


def split_ean(data, out):
    """The frozen split as two files; the kind of a structure becomes its group."""
    structures = read(data / "ean_validation.xyz", ":")
    places = json.loads((data / "ean_split_60_15.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for part in ("train", "test"):
        chosen = [structures[index] for index in places[part]]
        for atoms in chosen:
            atoms.info["group"] = atoms.info["kind"]
        files.append(out / f"ean_{part}.xyz")
        write(files[-1], chosen)
    return files


if __name__ == "__main__":
    main(*sys.argv[1:])
