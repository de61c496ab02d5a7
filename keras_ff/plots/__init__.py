"""Figures of training, use and properties. They need matplotlib: `pip install "keras_ff[plot]"`.

Each function returns a `matplotlib.figure.Figure`, which a notebook shows and `figure.savefig("name.png")` writes; nothing is kept
in the memory of pyplot.
"""

from keras_ff.plots.errors import error_histogram, parity
from keras_ff.plots.models import curves, energy_conservation, energy_drift, filters, projection
from keras_ff.plots.properties import (
    bands,
    density_of_states,
    directional,
    equation_of_state,
    fit_history,
    fit_report,
    radial_distribution,
    vibrational_density,
)
from keras_ff.plots.training import learning_by_number, learning_curves, tradeoff
from keras_ff.plots.uncertainty import errors_by_grade, grades_over_time, reliability_diagram, roc

__all__ = [
    "bands",
    "curves",
    "density_of_states",
    "directional",
    "energy_conservation",
    "energy_drift",
    "equation_of_state",
    "error_histogram",
    "errors_by_grade",
    "filters",
    "fit_history",
    "fit_report",
    "grades_over_time",
    "learning_by_number",
    "learning_curves",
    "parity",
    "projection",
    "radial_distribution",
    "reliability_diagram",
    "roc",
    "tradeoff",
    "vibrational_density",
]
