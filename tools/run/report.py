"""The report of a run: one HTML page with its pictures inside, which opens without a network."""

from __future__ import annotations

import base64
import datetime
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_ff import plots
from keras_ff.files import replace_when_complete
from keras_ff_tools.run.evaluation import QUANTITIES, Predictions, told_of_grades
from keras_ff_tools.run.files import several, write_text
from keras_ff_tools.run.model import kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_ff_tools.run.training import Result

TEMPLATE = Path(__file__).with_suffix(".html")

# Files of a run folder that the page links, in this order, where they are there.
FILES = {
    "best.keras": "the model",
    "last.keras": "the model of the last epoch",
    "lowest_loss.keras": "the model with the lowest validation loss",
    "log.csv": "losses and errors of each epoch",
    "errors_*.csv": "the table of errors above",
    "structures_*.csv": "one line for each structure",
    "*.yaml": "settings, to begin another run with",
    "settings.json": "settings, as they are resumed",
    "data.json": "sets, checksums",
    "versions.json": "versions, machine",
}

# Errors of NeuralIL on the test sets of mlearn (README) relative to the mean absolute deviation of the energies per atom, and to
# the mean absolute force component: lowest and highest of Si, Ge, Li, Mo, Ni, Cu.
USUAL = {"energy": "0.3 to 1.3 %", "forces": "2 to 12 %"}

# A validation loss that falls by more than this fraction over the last tenth of a run would fall further.
STILL_FALLING = 0.05

# A training loss below this fraction of the validation loss belongs to a model that knows its training set by heart.
BY_HEART = 0.5


def parity_figures(predictions: Predictions) -> dict[str, Figure]:
    """Parity plots of the labels that exist: dictionary from "energy", "forces", "stress" to the figure."""
    figures = {}
    for label, title, error_unit, factor in QUANTITIES:
        reference, predicted = predictions.pairs(label)
        if len(reference) and label == "stress":
            figures[label] = plots.parity(factor * reference, factor * predicted, title, error_unit)
        elif len(reference):
            unit = {"energy": "eV/atom", "forces": "eV/Å"}[label]
            figures[label] = plots.parity(reference, predicted, title, unit, error_unit, factor)
    return figures


def run_figures(result: Result) -> dict[str, Figure]:
    """Figures of a finished run, a dictionary from name to figure."""
    figures = {"learning_curves": plots.learning_curves(result.history)}
    if result.predictions is not None:
        figures |= {f"parity_{label}": figure for label, figure in parity_figures(result.predictions).items()}
        reference, predicted = result.predictions.pairs("forces")
        if len(reference):
            figures["force_errors"] = plots.error_histogram(reference, predicted, "force components", "eV/Å", "meV/Å", 1e3)
        grades, errors = result.predictions.force_errors()
        if len(grades):
            figures["grades"] = plots.errors_by_grade(grades, errors)
    return figures


def write_run(result: Result, simulation: dict[str, Any] | None = None) -> None:
    """Draw the figures of a run into its folder and write its report.

    Args:
        result: The finished run.
        simulation: What is to be said of a simulation with the model: a dictionary of `text` (str) and `figure`, or None.

    Raises:
        ImportError: If matplotlib or jinja2 is not installed.
    """
    from jinja2 import Environment

    folder, model = result.folder, result.model
    figures = run_figures(result)
    if simulation:
        figures["energy_conservation"] = simulation["figure"]
    pictures = {name: _picture(figure) for name, figure in figures.items()}
    for name, picture in pictures.items():
        with replace_when_complete(folder.plots / f"{name}.png") as part:
            part.write_bytes(picture["png"])
    data = folder.data()
    template = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(
        title=f"{kind(model)} for {', '.join(model.species)}",
        when=f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        which=result.which,
        which_model=f"{folder.best.name}. {' '.join(_sentences(result))}".strip(),
        good=_good(result.predictions) if result.predictions is not None else None,
        grades=told_of_grades(result.predictions) if result.predictions is not None else "",
        converged=_converged(result),
        files=_files(folder.path),
        errors=result.predictions.errors() if result.predictions is not None else None,
        pictures=pictures,
        training=_training(result),
        warnings=[note for note in result.notes if note.startswith("Warning")],
        simulation=simulation and simulation["text"],
        best=folder.best,
        species=", ".join(model.species),
        sets=data["sets"],
        checksums=data["sha256"],
        settings={name: _text(value) for name, value in folder.settings().to_dict().items() if value not in (None, [])},
        versions={name: _text(value) for name, value in folder.versions().items()},
    )
    write_text(folder.report, page + "\n")


def _training(result):
    return (
        f"{several(len(result.history['loss']), 'epoch')}. The model has {several(result.model.count_params(), 'parameter')} and a "
        f"cutoff of {result.model.cutoff:g} Å."
    )


def _sentences(result):
    """What the run says of its model, warnings apart."""
    return [note for note in result.notes if not note.startswith("Warning")]


def _good(predictions):
    """Sentence that tells what the errors are to be compared with."""
    told = []
    for label, name in (("energy", "energies per atom deviate from their mean by"), ("forces", "force components are")):
        reference, predicted = predictions.pairs(label)
        size = np.abs(reference - (reference.mean() if label == "energy" else 0.0)).mean() if len(reference) else 0.0
        if size > 0:
            unit, error = {"energy": "meV/atom", "forces": "meV/Å"}[label], np.abs(predicted - reference).mean()
            told.append(
                f"The {name} {1e3 * size:.0f} {unit} on average, and the mean absolute error is {100 * error / size:.2g} % of that "
                f"({USUAL[label]} for this library's networks on six elements)."
            )
    return " ".join(told)


def _converged(result):
    """Sentence on whether more training would help."""
    if any("too few" in note for note in result.notes):
        return "It has not converged: see the warning above."
    history = result.history
    name, words = ("val_loss", "validation loss") if "val_loss" in history else ("loss", "training loss")
    losses = np.asarray(history[name])
    tenth = len(losses) // 10
    if tenth < 2 or not np.isfinite(losses).all():
        return f"{several(len(losses), 'epoch')} are too few to tell whether it has converged."
    half = tenth // 2
    change = losses[-half:].mean() / losses[-tenth - half : -tenth].mean() - 1.0
    told = f"over the last tenth of the epochs the {words} changed by {100 * change:+.1f} %"
    if change < -STILL_FALLING:
        return f"It has not quite converged: {told}, so a longer training would be better."
    ratio = np.mean(history["loss"][-half:]) / losses[-half:].mean()
    if ratio < BY_HEART:
        return f"It has converged: {told}. The training loss is {ratio:.2g} of it: more data would help, more epochs would not."
    return f"It has converged: {told}."


def _files(folder):
    """Names of files in the folder of a run, and what they hold."""
    found = {}
    for pattern, text in FILES.items():
        found |= {path.name: text for path in sorted(folder.glob(pattern)) if path.name not in found}
    return found


def _picture(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    width, _ = figure.get_size_inches()
    title = next((axes.get_title() for axes in figure.axes if axes.get_title()), "")
    png = buffer.getvalue()
    return {"title": title, "width": round(96 * width), "png": png, "data": base64.b64encode(png).decode()}


def _text(value):
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
