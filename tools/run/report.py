"""The report of a run: one HTML page with its pictures inside, which opens without a network."""

from __future__ import annotations

import base64
import datetime
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_ff import plots
from keras_ff.files import replace_when_complete
from keras_ff_tools.run.evaluation import QUANTITIES, Predictions
from keras_ff_tools.run.files import write_text
from keras_ff_tools.run.model import kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_ff_tools.run.training import Result

TEMPLATE = Path(__file__).with_suffix(".html")


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
        errors=result.predictions.errors() if result.predictions is not None else None,
        pictures=pictures,
        training=_training(result),
        notes=result.notes,
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
        f"{len(result.history['loss'])} epochs. The model has {result.model.count_params()} parameters and a cutoff of "
        f"{result.model.cutoff:g} Å."
    )


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
