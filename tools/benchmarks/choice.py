"""Whether the model that a run delivers is the better one of its two candidates: `keras-ff benchmark choice`.

Each run is one of `keras-ff train`, with a tenth of its data for validation. One whose result file is there is not repeated, one
that was interrupted continues.
"""

import dataclasses
from pathlib import Path

import keras_ff as kff
from keras_ff_tools.benchmarks import ean
from keras_ff_tools.benchmarks.measure import errors, row
from keras_ff_tools.run.files import read_json, write_json
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.training import resume, train

# The model that is delivered may be so many times as bad as the better candidate, in the errors of energies and of forces.
LIMITS = (1.15, 1.05)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Data of a run and its length.

    Attributes:
        train: Training set: a file in the folder of the data, with the frames that are taken.
        test: Test set.
        epochs: Number of epochs.
        settings: Settings of the run other than the defaults.
    """

    train: str
    test: str
    epochs: int
    settings: dict = dataclasses.field(default_factory=lambda: {"max_shapes": 1})


def _mlearn(symbol, frames, epochs, **settings):
    return Problem(f"mlearn/{symbol}_train.xyz{frames}", f"mlearn/{symbol}_test.xyz", epochs, settings)


# Of the elements the first seed has all structures, and is trained for longer: two to five minutes on one core.
LONG = {symbol: _mlearn(symbol, "", epochs) for symbol, epochs in dict(Si=180, Ge=120, Mo=120, Li=70, Ni=35, Cu=35).items()}

# About one minute each.
SHORT = {
    **{symbol: _mlearn(symbol, "@::2", 30, max_shapes=1) for symbol in ("Si", "Ge", "Mo", "Li")},
    **{symbol: _mlearn(symbol, "@::3", 20, max_shapes=1) for symbol in ("Ni", "Cu")},
    "EAN": Problem("neuralil", "neuralil", 25, {"max_shapes": 1, "cutoff": 3.5, "n_max": 4}),
    "3BPA": Problem(
        "unlike/3BPA_300K_train.xyz.gz@::3", "unlike/3BPA_300K_test.xyz.gz", 40, {"max_shapes": 1, "cutoff": 4.0, "n_max": 4}
    ),
    "InP": Problem("unlike/InP_train.xyz.gz@::6", "unlike/InP_test.xyz.gz", 30, {"max_shapes": 2, "n_max": 4}),
    "Ta": Problem("unlike/Ta_train.xyz.gz@::2", "unlike/Ta_test.xyz.gz", 40, {"max_shapes": 2}),
}


def first_seed(data: str, out: str) -> None:
    """The longer runs on the elements of mlearn, and the others.

    Args:
        data: Folder with the folders mlearn, neuralil and unlike.
        out: Folder of the runs and their results.
    """
    compare({**SHORT, **LONG}, 0, data, out)


def second_seed(data: str, out: str) -> None:
    """The short runs with another split, other initial weights and another order of the batches; see `first_seed`."""
    compare(SHORT, 1, data, out)


def third_seed(data: str, out: str) -> None:
    """The short runs once more; see `second_seed`."""
    compare(SHORT, 2, data, out)


def compare(problems: dict[str, Problem], seed: int, data: str, out: str) -> None:
    """Make the runs that have no result yet, and print a row for each.

    Args:
        problems: Runs by the name of the data.
        seed: Seed of all of them.
        data: Folder of the data.
        out: Folder of the runs and their results.
    """
    for name, problem in problems.items():
        folder = Path(out) / "choice" / f"{name}_{seed}"
        file = folder.with_suffix(".json")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, _result(problem, seed, Path(data), folder))
        _print(f"{name}, seed {seed}", read_json(file))


def _result(problem, seed, data, folder):
    """Errors of both candidates on the test set, in meV/atom and meV/Å, and which one is delivered."""
    files = RunFolder(folder)
    sets = {"train": data / problem.train, "test": data / problem.test}
    if problem.train == "neuralil":
        sets = dict(zip(("train", "test"), ean.split(data / "neuralil", folder.parent / "ean")))
    if files.exists:
        result = resume(folder)
    else:
        sets = {name: str(file) for name, file in sets.items()}
        # The shear stresses of some sets, which are not trained, are in another order.
        result = train(Settings(**sets, epochs=problem.epochs, seed=seed, force=True, **problem.settings), folder)
    structures = kff.data.read(str(sets["test"]))
    # In one model, which is compiled once.
    model = kff.load(files.best)
    candidates = {"lowest": files.lowest if files.lowest.exists() else files.best, "last": files.last}
    measured = {}
    for name, file in {**candidates, "delivered": files.best}.items():
        model.set_weights(kff.load(file).get_weights())
        measured[name] = errors(model, structures)
    losses = result.history["val_loss"]
    epochs = {"epochs": len(losses), "lowest_epoch": losses.index(min(losses)) + 1}
    return {**epochs, "last_is_delivered": files.lowest.exists(), "errors": measured, "why": result.notes}


def _print(name, result):
    errors = result["errors"]
    better = [min(pair) for pair in zip(errors["lowest"], errors["last"])]
    ratios = [one / least for one, least in zip(errors["delivered"], better)]
    holds = all(ratio <= limit for ratio, limit in zip(ratios, LIMITS))
    told = "; ".join(f"{which} {energy:.2f}, {forces:.1f}" for which, (energy, forces) in errors.items())
    row(
        f"{name}: test MAE, meV/atom, meV/Å",
        f"{told} ({'last' if result['last_is_delivered'] else 'lowest'} of epochs {result['lowest_epoch']}, {result['epochs']}); "
        f"{ratios[0]:.3f}, {ratios[1]:.3f} times the better{'' if holds else ', TOO MUCH'}",
    )
