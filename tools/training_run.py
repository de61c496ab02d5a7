"""A training run in a folder: data, model, loss, callbacks, and what is drawn and written at the end."""

import csv
import dataclasses
import time

import keras

import keras_ff as kff
from keras_ff import backend
from keras_ff.data.cache import CachedStructures
from keras_ff_tools import evaluation
from keras_ff_tools.run_folder import cache_folder
from keras_ff_tools.schedule import OneCycle

# Lines that a run prints while it trains.
LINES = 30


@dataclasses.dataclass
class Result:
    """What a finished run gives.

    Attributes:
        model: The best `ForceField`.
        history: Dictionary of lists: the log, one number for each epoch.
        predictions: `Predictions` of the best model, of the test set or else the validation set; None if there is neither.
        which: "test", "validation" or None.
        folder: The `RunFolder`.
        seconds: Wall time of this process in the run.
    """

    model: kff.ForceField
    history: dict
    predictions: evaluation.Predictions | None
    which: str | None
    folder: object
    seconds: float


class TrainingRun:
    """Reads the data and makes the model; `finish` trains.

    Args:
        settings: `Settings`.
        folder: `RunFolder`.

    Raises:
        ValueError: If the data or the settings cannot be used.
    """

    def __init__(self, settings, folder):
        self.began = time.monotonic()
        self.settings = settings = dataclasses.replace(settings, backend=backend.backend_name())
        self.folder = folder
        backend.enable_compilation_cache(cache_folder() / settings.backend)
        if settings.dtype == "float64":
            kff.enable_float64()
        train = self._read(settings.train)
        if settings.valid:
            valid = self._read(settings.valid)
        elif settings.valid_fraction:
            train, valid = _split(train, settings.valid_fraction, settings.seed)
        else:
            valid = None
        self.test = self._read(settings.test) if settings.test else None
        self.settings = settings = dataclasses.replace(self.settings, species=settings.species or species_of(train))
        potential = kff.potentials.NeuralIL(
            species=list(settings.species), cutoff=settings.cutoff, n_max=settings.n_max, seed=settings.seed, dtype=settings.dtype
        )
        self.model = kff.ForceField(potential, dtype=settings.dtype)
        self.train = self._dataset(train, "training", settings.max_shapes)
        self.valid = None if valid is None else self._dataset(valid, "validation", min(settings.max_shapes, 2), shuffle=False)
        if self.test is not None:
            self._dataset(self.test, "test", 1, shuffle=False)  # Now, so that bad data is known before the training.
        self._check_labels()

    def _read(self, sources):
        sources = list(sources)
        if any(source.endswith(".h5") for source in sources):
            if len(sources) > 1:
                raise ValueError(
                    f"A cache (.h5) is a whole set of its own and cannot be joined with other files. Received {sources}."
                )
            return CachedStructures(sources[0])
        keys = {f"{kind}_key": getattr(self.settings, f"{kind}_key") for kind in self.settings.weights}
        return kff.data.read(sources, **keys)

    def _dataset(self, structures, name, max_shapes, shuffle=True):
        settings = self.settings
        try:
            return kff.data.Dataset(
                structures, self.model, settings.batch_size, shuffle, settings.seed, max_shapes, dtype=settings.dtype
            )
        except ValueError as error:
            raise ValueError(f"In the {name} set: {error}") from error

    def _check_labels(self):
        for kind, weight in self.settings.weights.items():
            if weight:
                try:
                    self.train.require_labels(kind)
                except ValueError as error:
                    raise ValueError(f"{error} (On the command line: --{kind}-weight 0.)") from error

    def describe_data(self):
        """Numbers of structures and labels of each set."""
        sets = {"train": self.train, "valid": self.valid}
        found = {name: {"structures": len(data.structures), **data.labels_found} for name, data in sets.items() if data is not None}
        return found if self.test is None else {**found, "test": {"structures": len(self.test)}}

    def finish(self):
        """Begin the run folder if there is none, train to the end (from the last state in the folder), evaluate, write the report.

        Returns:
            `Result`.
        """
        if not self.folder.exists:
            self.folder.create(self.settings, self.describe_data())
        self._print_summary()
        history = self._fit()
        model = kff.load(self.folder.best)
        which, structures = ("test", self.test) if self.test is not None else ("validation", self.valid and self.valid.structures)
        predictions = None
        if structures is not None:
            predictions = evaluation.predict(model, structures, self.settings.batch_size)
            rows = predictions.errors()
            evaluation.write_errors(self.folder.path / f"errors_{which}.csv", rows)
            evaluation.write_structures(self.folder.path / f"structures_{which}.csv", predictions)
            print(f"\nBest model on the {which} set ({len(structures)} structures)\n{evaluation.error_table(rows)}")
        result = Result(model, history, predictions, which if predictions else None, self.folder, time.monotonic() - self.began)
        _draw(result)
        print(f"\nbest model  {self.folder.best}")
        if self.folder.report.exists():
            print(f"report      {self.folder.report}")
        return result

    def _print_summary(self):
        model, settings = self.model, self.settings
        sets = [("training", self.train)] + ([("validation", self.valid)] if self.valid is not None else [])
        for name, data in sets:
            print(f"{name} set\n{_indented(data.report())}")
        if self.test is not None:
            print(f"test set\n  structures  {len(self.test)}")
        memory = kff.data.estimate_memory(self.train, model)
        print(
            f"model       NeuralIL for {', '.join(settings.species)}: cutoff {settings.cutoff:g} Å, n_max {settings.n_max}, "
            f"{model.count_params()} parameters, {settings.dtype}, {settings.backend}"
        )
        print(f"memory      a training step takes about {memory / 2**20:.0f} MiB (estimated from the largest batch)")
        print(f"run folder  {self.folder.path}\n", flush=True)

    def _fit(self):
        settings, folder = self.settings, self.folder
        progress = kff.training.Progress(every=10**9)
        state = kff.training.RunState(folder.state)
        if state.latest is None:
            self.model.adapt(self.train)

        plan = folder.plan() or {"epochs": settings.epochs, "measured": 0}

        def planned(epochs, measured):
            folder.write_plan(epochs, measured)
            progress.every = max(1, epochs // LINES)

        if plan["epochs"]:
            progress.every = max(1, plan["epochs"] // LINES)
        cycle = OneCycle(settings.learning_rate, **plan, minutes=settings.minutes, began=self.began, on_plan=planned)
        compile_model(self.model, settings, self.train.labels_found)
        monitor = "loss" if self.valid is None else "val_loss"
        state.callbacks = [
            kff.training.StopOnNaN(),
            kff.training.BestModel(folder.best, monitor=monitor),
            kff.training.CSVLog(folder.log),
            kff.training.TensorBoardLog(folder.tensorboard),
            cycle,  # Before the lines that tell the planned epochs, after what makes the first epoch slow.
            progress,
        ]
        self.model.fit(
            self.train,
            validation_data=self.valid,
            epochs=cycle.most_epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*state.callbacks, state],
        )
        self.model.save(folder.last)
        return read_log(folder.log)


def compile_model(model, settings, labels_found):
    """Give a model the loss, the optimizer and the metrics of the settings."""
    loss = {
        "energy": ("energy_per_atom", kff.losses.LogCosh(p=settings.energy_p, dtype=settings.dtype)),
        "forces": ("forces", kff.losses.LogCosh(p=settings.forces_p, dtype=settings.dtype)),
        "stress": ("stress", kff.losses.LogCosh(p=settings.stress_p, dtype=settings.dtype)),
    }
    learned = [kind for kind, weight in settings.weights.items() if weight]
    measured = ["energy_per_atom" if kind == "energy" else kind for kind, count in labels_found.items() if count]
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss={loss[kind][0]: loss[kind][1] for kind in learned},
        loss_weights={loss[kind][0]: settings.weights[kind] for kind in learned},
        metrics=kff.training.default_metrics(measured),
    )


def species_of(structures):
    """Chemical symbols of the structures, in alphabetical order."""
    return tuple(sorted({symbol for atoms in structures for symbol in set(atoms.symbols)}))


def read_log(path):
    """The log of a run as a dictionary of lists of numbers; NaN where a cell is empty."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else [])}


def _split(structures, fraction, seed):
    """Training and validation set, the latter of one structure at least."""
    if len(structures) < 2:
        raise ValueError(
            f"{len(structures)} structure is too few to set some aside for validation. Add data, name validation files with "
            "--valid, or train without any with --valid-fraction 0."
        )
    fraction = min(max(fraction, 1 / len(structures)), 1 - 1 / len(structures))
    return kff.data.split(structures, (1 - fraction, fraction), seed)


def _draw(result):
    """Plots and the report page, where matplotlib is installed."""
    from keras_ff_tools import report

    try:
        report.write_run(result)
    except ImportError as error:
        print(f"\nNo plots and no report: {error}")


def _indented(text):
    return "\n".join(f"  {line}" for line in text.splitlines())
