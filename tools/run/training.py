"""A training run in a folder: from the data to the report, also after a kill."""

import contextlib
import dataclasses
import os
import shutil
import time

import keras
import numpy as np

import keras_ff as kff
from keras_ff import backend
from keras_ff.files import exclusive, replace_when_complete
from keras_ff.models.files import model_file
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.learned import Learned
from keras_ff_tools.run import evaluation, report
from keras_ff_tools.run.choice import choose
from keras_ff_tools.run.compilations import Compilations
from keras_ff_tools.run.data import RunData, counted
from keras_ff_tools.run.files import read_log, several
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.model import adapt, compile_model, kind, linear_start, new_model, saved_model
from keras_ff_tools.run.parts import freeze, trained_and_frozen
from keras_ff_tools.run.references import open_combinations, told, with_reference_energies
from keras_ff_tools.run.schedule import OneCycle
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.trackers import check_trackers, end_trackers, trackers

# Number of lines that a run prints while it trains.
LINES = 30

# Length of a run in minutes that begins with a fit by least squares.
FEWEST_MINUTES = 10

# Steps in which no new network converges, whatever its data.
FEWEST_STEPS = 2000


@dataclasses.dataclass
class Result:
    """What a finished run gives.

    Attributes:
        model: The model that is delivered, `best.keras`.
        history: Dictionary of lists: the log, one number for each epoch.
        predictions: `Predictions` of that model, of the test set or else the validation set; None if there is neither.
        which: "test", "validation" or None.
        folder: Folder of the run.
        seconds: Wall time of this process in the run, in s.
        notes: Sentences: which model is delivered and why, and warnings.
    """

    model: kff.ForceField
    history: dict[str, list[float]]
    predictions: evaluation.Predictions | None
    which: str | None
    folder: RunFolder
    seconds: float
    notes: list[str] = dataclasses.field(default_factory=list)


def train(settings: Settings, folder: str | os.PathLike) -> Result:
    """Train a model in a new run folder.

    Args:
        settings: Settings of the run.
        folder: Path of the folder, which must not hold a run.

    Raises:
        FileExistsError: If there is a run in the folder.
        ValueError: If settings or data cannot be used; then no folder is made.
    """
    folder = RunFolder(folder)
    folder.refuse_if_used()
    return _finished(settings, folder)


def resume(folder: str | os.PathLike) -> Result:
    """Continue the run in a folder; if it is complete, only its evaluation is made again.

    Raises:
        FileNotFoundError: If there is no run in the folder, or its data is gone.
        ValueError: If the data or settings have changed, or a file is damaged.
        OSError: If another process trains in the folder.
    """
    folder = RunFolder(folder)
    settings = folder.settings()
    with exclusive(folder.path):
        folder.check_job()
        folder.check_data()
        return _finished(settings, folder)


def _finished(settings, folder):
    with kff.training.data_parallel(settings.devices) if settings.devices > 1 else contextlib.nullcontext():
        return TrainingRun(settings, folder).finish()


class TrainingRun:
    """A run whose data is read and whose model is made; `finish` trains.

    Args:
        settings: Settings of the run.
        folder: Its folder.

    Attributes:
        settings: Settings with what the data and the process have decided: species and backend.
        model: The model, as it is trained.
        train: Training set in batches.
        valid: Validation set in batches, or None.
        test: Structures of the test set, or None.

    Raises:
        ValueError: If the data or the settings cannot be used.
    """

    def __init__(self, settings: Settings, folder: RunFolder):
        self.began = time.monotonic()
        self.folder = folder
        settings = with_reference_energies(settings.replaced(backend=backend.backend_name()))
        self.core = ""
        begin = folder.begin(settings) if folder.exists else settings.start or settings.potential_file
        if settings.start:
            self.model = saved_model(model_file(begin), settings)
            data = RunData(settings)
        else:
            if begin and not os.path.isfile(begin):
                raise FileNotFoundError(f"There is no parameter file {begin}. Received --potential {settings.potential}.")
            data = RunData(settings)
            settings = settings.replaced(species=settings.species or data.species)
            self.model, self.core = new_model(settings, data.train, begin)
        freeze(self.model, settings.freeze)
        check_trackers(settings)
        self.settings, self.data = settings, data
        self.train, self.valid = data.batches(self.model)
        self.test = data.test

    def describe_data(self) -> dict[str, dict[str, int]]:
        """Numbers of structures and labels of each set."""
        sets = {"train": self.train, "valid": self.valid}
        found = {
            name: {"structures": len(data.structures), **data.labels_found, "weights": data.weights_found}
            for name, data in sets.items()
            if data is not None
        }
        others = {"test": self.test, "replay": self.data.replayed}
        return found | {name: counted(structures) for name, structures in others.items() if structures}

    def finish(self) -> Result:
        """Begin the folder if there is none, train to the end from the last state in it, evaluate, and write the report."""
        began = self.folder.exists
        with exclusive(self.folder.path):
            if not began:
                self.folder.create(self.settings, self.describe_data())
            return self._finished()

    def _finished(self):
        self._print_summary()
        history = self._fit()
        doubts = self._doubts(history)
        model, choice = self._chosen(history)
        self._learn_extrapolation(model)
        which, structures = ("test", self.test) if self.test is not None else ("validation", self.valid and self.valid.structures)
        predictions = None
        if structures is not None:
            predictions = evaluation.predict(model, structures, self.settings.batch_size)
            predictions.grades = evaluation.graded(model, structures, self.settings.batch_size)
            rows = predictions.errors()
            evaluation.write_errors(self.folder.path / f"errors_{which}.csv", rows)
            evaluation.write_structures(self.folder.path / f"structures_{which}.csv", predictions)
            print(f"\nErrors on the {which} set ({several(len(structures), 'structure')})\n{evaluation.error_table(rows)}")
            print(evaluation.told_of_grades(predictions))
        seconds = time.monotonic() - self.began
        notes = [choice, *filter(None, [self.core, self._remembered(model), open_combinations(model)]), *doubts]
        result = Result(model, history, predictions, which if predictions else None, self.folder, seconds, notes)
        try:
            report.write_run(result)
        except ImportError as error:
            print(f"\nNo plots and no report: {error}")
        print("\n" + "\n".join(notes))
        print(f"\nmodel       {self.folder.best}")
        if self.folder.report.exists():
            print(f"report      {self.folder.report}")
        return result

    def _chosen(self, history):
        """The model that is delivered as `best.keras`, and a sentence that says why."""
        folder, epochs = self.folder, len(history["loss"])
        losses = np.nan_to_num(history.get("val_loss", history["loss"]), nan=np.inf)
        epoch = int(np.argmin(losses)) + 1
        model = kff.load(folder.best)
        if epoch == epochs:
            return model, f"Delivered is the model of the last epoch, {epochs}, which has the lowest loss."
        sentence = f"Delivered is the model of the last epoch, {epochs}, at the end of the schedule; there is no validation set."
        if self.valid is not None:
            # In one model, which is compiled once.
            best = _numbers(model)
            lowest = evaluation.predict(model, self.valid.structures, self.settings.batch_size)
            _set_numbers(model, _numbers(self.model))
            last = evaluation.predict(model, self.valid.structures, self.settings.batch_size)
            choice = choose(lowest, last, epoch, epochs)
            sentence = choice.sentence
            if not choice.last:
                _set_numbers(model, best)
                return model, sentence
        for source, target in ((folder.best, folder.lowest), (folder.last, folder.best)):
            with replace_when_complete(target) as part:
                shutil.copyfile(source, part)
        return kff.load(folder.best), sentence

    def _learn_extrapolation(self, model):
        """Give the delivered model, also in its file, the statistics of the training set that tell where it extrapolates."""
        if terms_with(model.potential, Learned):
            # In the same order after a resumption.
            data = self.train.in_shapes(len(self.train.shapes))
            data.epoch = 0
            kff.models.learn_extrapolation(model, data)
            model.save(self.folder.best)

    def _remembered(self, model):
        """A sentence about the old data that were mixed in: their errors before and after; "" without any."""
        if not self.data.replayed:
            return ""
        weights, errors = _numbers(model), []
        for values in (_numbers(kff.load(self.folder.start)), weights):
            _set_numbers(model, values)
            errors.append(evaluation.predict(model, self.data.replayed, self.settings.batch_size).errors())
        told = [
            f"{before['label']} {before['mae']:.3g} and {after['mae']:.3g} {before['unit']}"
            for before, after in zip(*errors)
            if before["group"] == "all"
        ]
        return f"Errors on {self.data.replay.rstrip('.')}, before and after the training: {', '.join(told)}."

    def _doubts(self, history):
        """Sentences about a training that was too short for its result to say anything."""
        learned = terms_with(self.model.potential, Learned)
        steps = len(history["loss"]) * len(self.train)
        if not learned or self.settings.start or steps >= FEWEST_STEPS:
            return []
        needed = -(-FEWEST_STEPS // len(self.train))
        return [
            f"Warning: the training had {several(steps, 'step')} ({several(len(history['loss']), 'epoch')} of "
            f"{several(len(self.train), 'batch', 'batches')}), too few for a network to converge: its errors are those of an "
            f"unfinished training. About {FEWEST_STEPS} steps are needed, {several(needed, 'epoch')} here: give --epochs {needed}, "
            "or more --minutes."
        ]

    def _print_summary(self):
        model, settings = self.model, self.settings
        sets = [("training", self.train)] + ([("validation", self.valid)] if self.valid is not None else [])
        for name, data in sets:
            print(f"{name} set\n" + "\n".join(f"  {line}" for line in data.report().splitlines()))
        if self.test is not None:
            print(f"test set\n  structures  {len(self.test)}")
        if self.data.replay:
            print(f"replay      {self.data.replay}")
        size = {"size": settings.size, "n_max": settings.n_max}
        size = "".join(f"{name} {value}, " for name, value in size.items() if value is not None)
        print(
            f"model       {kind(model)} for {', '.join(model.species)}: cutoff {model.cutoff:g} Å, {size}"
            f"{model.count_params()} parameters, {model.compute_dtype}, {settings.backend}\n"
            f"parameters  {trained_and_frozen(model)}"
        )
        if self.core:
            print(f"core        {self.core}")
        if settings.start:
            energies = "adapted to the training set" if settings.adapt else "as they are (--adapt fits them to the training set)"
            print(f"start       {settings.start}; reference energies {energies}")
        memory = kff.data.estimate_memory(self.train, model)
        print(f"memory      a training step takes about {memory / 2**20:.0f} MiB (estimated from the largest batch)")
        print(f"run folder  {self.folder.path}\n", flush=True)

    def _fit(self):
        settings, folder = self.settings, self.folder
        progress = kff.training.Progress(every=10**9)
        if folder.lowest.exists():
            # The choice at the end is made anew.
            os.replace(folder.lowest, folder.best)
        state = kff.training.RunState(folder.state)
        if state.latest is None and (settings.adapt or not settings.start):
            adapt(self.model, self.train, not settings.start, settings.reference_energies)
            print(f"references  {told(self.model)}", flush=True)
            began = time.monotonic()
            # In less time, that of compiling the fit is better spent on training.
            short = settings.minutes is not None and settings.minutes < FEWEST_MINUTES
            if not (settings.start or short) and linear_start(self.model, self.train):
                print(f"start       least squares for the linear part of the network, {time.monotonic() - began:.0f} s")
            print(flush=True)
        elif folder.best.exists():
            self.model.references = kff.load(folder.best).references

        plan = folder.plan() or {"epochs": settings.epochs, "measured": 0}

        def planned(epochs, measured):
            folder.write_plan(epochs, measured)
            progress.every = max(1, epochs // LINES)
            if cycle.overrun > 1:
                took = f"Compilation took most of {settings.minutes:g} minutes"
                print(f"{took}: the run takes {cycle.overrun:.0f} s more, so that the network learns something.", flush=True)

        if plan["epochs"]:
            progress.every = max(1, plan["epochs"] // LINES)
        cycle = OneCycle(settings.learning_rate, **plan, minutes=settings.minutes, began=self.began, on_plan=planned)
        compile_model(self.model, settings, self.train.labels_found)
        monitor = "loss" if self.valid is None else "val_loss"
        averages = [] if settings.ema is None else [kff.training.EvaluateAverage()]
        state.callbacks = [
            *averages,
            kff.training.BestModel(folder.best, monitor=monitor),
            kff.training.CSVLog(folder.log),
            kff.training.TensorBoardLog(folder.tensorboard),
            cycle,  # Before the lines that tell the planned epochs, after what makes the first epoch slow.
            progress,
        ]
        shown = trackers(settings, folder)
        self.model.fit(
            self.train,
            validation_data=self.valid,
            epochs=cycle.most_epochs,
            shuffle=False,
            verbose=0,
            callbacks=[Compilations(self.train), *state.callbacks, state, *shown],
        )
        end_trackers(settings)
        self.model.save(folder.last)
        return read_log(folder.log)


def _numbers(model):
    """Values of the weights that energies follow from; those of its grades of extrapolation are not among them."""
    return [keras.ops.convert_to_numpy(weight.value) for weight in (*model.potential.weights, model.reference_energies)]


def _set_numbers(model, values):
    for weight, value in zip((*model.potential.weights, model.reference_energies), values, strict=True):
        weight.assign(value)
