"""The report of a run: one HTML page with its pictures inside, which opens without a network."""

import base64
import datetime
import html
import io

from keras_ff import plots
from keras_ff.files import replace_when_complete
from keras_ff_tools.evaluation import QUANTITIES

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
p.when { color: #666; margin-top: 0; } img { max-width: 100%; vertical-align: top; }
table { border-collapse: collapse; margin: 0.6rem 0; }
th, td { padding: 0.15rem 0.9rem 0.15rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #999; font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.name { color: #555; }
pre { background: #f6f6f6; padding: 0.7rem 1rem; overflow-x: auto; }
"""


class Page:
    """An HTML page that is written in the order of its calls.

    Args:
        title: Of the page.
    """

    def __init__(self, title):
        self.title = title
        self._parts = []

    def heading(self, text):
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text):
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def code(self, text):
        self._parts.append(f"<pre>{html.escape(text)}</pre>")

    def figures(self, *figures):
        """Pictures side by side."""
        self._parts.append("<p>" + "\n".join(_image(figure) for figure in figures) + "</p>")

    def table(self, columns, rows):
        """Rows of strings and numbers; numbers are aligned to the right."""
        numeric = [bool(rows) and all(isinstance(row[place], (int, float)) for row in rows) for place in range(len(columns))]
        mark = [' class="number"' if flag else "" for flag in numeric]
        head = "".join(f"<th{kind}>{html.escape(name)}</th>" for kind, name in zip(mark, columns))
        body = "\n".join(
            "<tr>" + "".join(f"<td{kind}>{html.escape(_text(cell))}</td>" for kind, cell in zip(mark, row)) + "</tr>"
            for row in rows
        )
        self._parts.append(f"<table><tr>{head}</tr>\n{body}</table>")

    def properties(self, values):
        """A table of names and values."""
        rows = "\n".join(
            f'<tr><td class="name">{html.escape(str(name))}</td><td>{html.escape(_text(value))}</td></tr>'
            for name, value in values.items()
        )
        self._parts.append(f"<table>{rows}</table>")

    def write(self, path):
        """Write the page, whole or not at all."""
        title = html.escape(self.title)
        when = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
        text = (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>\n'
            f'<body><h1>{title}</h1><p class="when">{when}</p>\n' + "\n".join(self._parts) + "\n</body></html>\n"
        )
        with replace_when_complete(path) as part:
            part.write_text(text, encoding="utf-8")


def parity_figures(predictions):
    """Parity plots of the labels that exist: dictionary from "energy", "forces", "stress" to the figure."""
    figures = {}
    for kind, title, error_unit, factor in QUANTITIES:
        reference, predicted = predictions.pairs(kind)
        if len(reference) and kind == "stress":
            figures[kind] = plots.parity(factor * reference, factor * predicted, title, error_unit)
        elif len(reference):
            unit = {"energy": "eV/atom", "forces": "eV/Å"}[kind]
            figures[kind] = plots.parity(reference, predicted, title, unit, error_unit, factor)
    return figures


def run_figures(result):
    """Figures of a finished run, a dictionary from name to figure.

    Args:
        result: `keras_ff_tools.training_run.Result`.
    """
    figures = {"learning_curves": plots.learning_curves(result.history)}
    if result.predictions is not None:
        figures |= {f"parity_{kind}": figure for kind, figure in parity_figures(result.predictions).items()}
        reference, predicted = result.predictions.pairs("forces")
        if len(reference):
            figures["force_errors"] = plots.error_histogram(reference, predicted, "force components", "eV/Å", "meV/Å", 1e3)
    return figures


def write_run(result, simulation=None):
    """Draw the figures of a run into its folder and write its report.

    Args:
        result: `keras_ff_tools.training_run.Result`.
        simulation: What is to be said of a simulation with the model: a dictionary of `text` (str) and `figure`, or None.
    """
    folder = result.folder
    figures = run_figures(result)
    if simulation:
        figures["energy_conservation"] = simulation["figure"]
    for name, figure in figures.items():
        with replace_when_complete(folder.plots / f"{name}.png") as part:
            figure.savefig(part)
    settings, data = folder.settings(), folder.data()
    page = Page(f"NeuralIL for {', '.join(result.model.species)}")
    if result.predictions is not None:
        page.heading(f"Errors of the best model on the {result.which} set")
        page.table(["group", "label", "values", "MAE", "RMSE", "largest", "unit"], error_rows(result.predictions.errors()))
        page.figures(*(figure for name, figure in figures.items() if name.startswith("parity")))
        if "force_errors" in figures:
            page.figures(figures["force_errors"])
    page.heading("Training")
    epochs = len(result.history["loss"])
    monitor = result.history.get("val_loss", result.history["loss"])
    best = min(range(epochs), key=lambda epoch: (monitor[epoch] != monitor[epoch], monitor[epoch])) + 1
    page.paragraph(
        f"{epochs} epochs; the best model is that of epoch {best}. It has {result.model.count_params()} parameters and a cutoff of "
        f"{result.model.cutoff:g} Å."
    )
    page.figures(figures["learning_curves"])
    if simulation:
        page.heading("Molecular dynamics")
        page.paragraph(simulation["text"])
        page.figures(simulation["figure"])
    page.heading("Use")
    page.code(
        f'import keras_ff as kff\n\nmodel = kff.load("{folder.best}")\natoms.calc = kff.Calculator(model)   # any ase.Atoms of '
        f"{', '.join(result.model.species)}\natoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()"
    )
    page.heading("Data")
    sets = data["sets"].items()
    page.table(
        ["set", "structures", "energy", "forces", "stress"],
        [[name, *(one.get(key, "") for key in ("structures", "energy", "forces", "stress"))] for name, one in sets],
    )
    page.table(["file", "sha256"], list(data["sha256"].items()))
    page.heading("Settings")
    page.properties({name: value for name, value in settings.to_dict().items() if value not in (None, [], ())})
    page.heading("Versions")
    page.properties(folder.versions())
    page.write(folder.report)


def error_rows(rows):
    """Rows of `Predictions.errors` for `Page.table`."""
    return [
        [row["group"], row["label"], row["count"], *(float(f"{row[name]:.4g}") for name in ("mae", "rmse", "largest")), row["unit"]]
        for row in rows
    ]


def _image(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    data = base64.b64encode(buffer.getvalue()).decode()
    width, _ = figure.get_size_inches()
    title = next((axes.get_title() for axes in figure.axes if axes.get_title()), "")
    return f'<img alt="{html.escape(title)}" width="{round(96 * width)}" src="data:image/png;base64,{data}">'


def _text(value):
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
