"""Figures of training and use. They need matplotlib: `pip install "keras_ff[plot]"`.

Each function returns a `matplotlib.figure.Figure`, which a notebook shows and
`figure.savefig("name.png")` writes; nothing is kept in the memory of pyplot.
"""

from keras_ff.plots.errors import error_histogram, parity
from keras_ff.plots.models import curves, energy_conservation, energy_drift, filters, projection
from keras_ff.plots.training import learning_by_number, learning_curves, tradeoff
from keras_ff.plots.uncertainty import reliability_diagram, roc, watched

__all__ = [
    "curves",
    "energy_conservation",
    "energy_drift",
    "error_histogram",
    "filters",
    "learning_by_number",
    "learning_curves",
    "parity",
    "projection",
    "reliability_diagram",
    "roc",
    "tradeoff",
    "watched",
]
