"""Figures of the errors of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_ff.plots.figures import BLUE, GRAY, new_figure, note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More points than this are drawn as a density.
_MANY_POINTS = 3000


def parity(
    reference,
    predicted,
    quantity: str = "energy",
    unit: str = "eV/atom",
    error_unit: str | None = None,
    error_factor: float = 1.0,
) -> Figure:
    """Parity plot: predictions over reference values, with mean absolute and root-mean-square error.

    More than 3000 values are drawn as a density.

    Args:
        reference: Reference values of any shape; NaN, a missing label, is left out.
        predicted: Predictions in the same shape.
        quantity: Name of the quantity, the title of the figure.
        unit: Unit of the values, for the axes.
        error_unit: Unit of the errors that are written into the figure; by default `unit`.
        error_factor: Factor that converts errors from `unit` to `error_unit`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the shapes differ or no value is finite.
        ImportError: If matplotlib is not installed.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.parity([1.0, 2.0], [1.1, 1.9], "energy", "eV/atom", "meV/atom", 1e3)
        >>> figure.axes[0].get_xlabel()
        'reference (eV/atom)'
    """
    reference, predicted = _flat_pair(reference, predicted)
    error = error_factor * (predicted - reference)
    low, high = min(reference.min(), predicted.min()), max(reference.max(), predicted.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    many = len(reference) > _MANY_POINTS
    with new_figure(4.6 if many else 3.9, 3.7) as figure:
        axes = figure.add_subplot()
        axes.plot(limits, limits, color=GRAY, linewidth=0.8, zorder=1)
        if many:
            picture = axes.hexbin(
                reference, predicted, gridsize=90, bins="log", mincnt=1, cmap="viridis", extent=(*limits, *limits), zorder=2
            )
            figure.colorbar(picture, ax=axes, label="number of values", shrink=0.8)
        else:
            axes.plot(reference, predicted, "o", color=BLUE, markersize=3.5, alpha=0.5, markeredgewidth=0, zorder=2)
        axes.set(
            title=f"{quantity[:1].upper()}{quantity[1:]}",
            xlabel=f"reference ({unit})",
            ylabel=f"predicted ({unit})",
            xlim=limits,
            ylim=limits,
            aspect="equal",
        )
        note(axes, _errors_text(error, error_unit or unit))
    return figure


def error_histogram(
    reference,
    predicted,
    quantity: str = "force components",
    unit: str = "eV/Å",
    error_unit: str | None = None,
    error_factor: float = 1.0,
) -> Figure:
    """Histogram of the errors of predictions on a logarithmic scale, where outliers show.

    Args:
        reference: Reference values of any shape; NaN, a missing label, is left out.
        predicted: Predictions in the same shape.
        quantity: Name of the quantity, for the title.
        unit: Unit of the values.
        error_unit: Unit of the errors in the figure; by default `unit`.
        error_factor: Factor that converts errors from `unit` to `error_unit`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the shapes differ or no value is finite.
        ImportError: If matplotlib is not installed.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.error_histogram([1.0, 2.0], [1.1, 1.9], "forces", "eV/Å", "meV/Å", 1e3)
        >>> figure.axes[0].get_xlabel()
        'predicted - reference (meV/Å)'
    """
    reference, predicted = _flat_pair(reference, predicted)
    error = error_factor * (predicted - reference)
    error_unit = error_unit or unit
    extent = np.abs(error).max() or 1.0
    with new_figure(4.2, 3.2) as figure:
        axes = figure.add_subplot()
        counts, _, _ = axes.hist(error, bins=np.linspace(-extent, extent, 61), color=BLUE, log=True)
        axes.set_ylim(0.7, 8 * counts.max())  # Room for the text.
        axes.axvline(0.0, color=GRAY, linewidth=0.8)
        axes.set(title=f"Errors of {quantity}", xlabel=f"predicted - reference ({error_unit})", ylabel="number of values")
        note(axes, _errors_text(error, error_unit))
    return figure


def _flat_pair(reference, predicted):
    reference, predicted = np.asarray(reference, dtype="float64"), np.asarray(predicted, dtype="float64")
    if reference.shape != predicted.shape:
        raise ValueError(f"Reference and prediction must have the same shape. Received {reference.shape} and {predicted.shape}.")
    known = np.isfinite(reference) & np.isfinite(predicted)
    if not known.any():
        raise ValueError("No value has both a reference and a prediction that are finite.")
    return reference[known], predicted[known]


def _errors_text(error, unit):
    mae, rmse = np.mean(np.abs(error)), np.sqrt(np.mean(error**2))
    return f"MAE {mae:.3g} {unit}\nRMSE {rmse:.3g} {unit}\n{len(error):,} values"
