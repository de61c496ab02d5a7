"""Figures of training: learning curves, and errors over costs and over the number of structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.data.units import EV_PER_A3_IN_GPA
from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, log_axis, new_figure, plain_numbers, shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curves(history: dict) -> Figure:
    """Learning curves: loss and mean absolute errors over the epochs, of training and validation.

    Args:
        history: Dict of lists with one number for each epoch: `model.fit(...).history`, or the columns of `CSVLog`. Errors are
            drawn for the metrics of `keras_ff.training.default_metrics`.

    Returns:
        `matplotlib.figure.Figure` with a panel for the loss and one for each kind of label.

    Raises:
        ValueError: If the history has no loss.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.learning_curves({"loss": [1.0, 0.5], "val_loss": [1.2, 0.7], "forces_mae": [0.3, 0.2]})
        >>> [axes.get_title() for axes in figure.axes]
        ['Loss', 'Force components']
    """
    if not len(history.get("loss", ())):
        raise ValueError(f"Learning curves need the loss of at least one epoch. Received the names {sorted(history)}.")
    panels = [("loss", "Loss", "loss", 1.0)]
    for name, title, unit, factor in (
        ("energy_per_atom_mae", "Energy", "mean absolute error (meV/atom)", 1e3),
        ("forces_mae", "Force components", "mean absolute error (meV/Å)", 1e3),
        ("stress_mae", "Stress components", "mean absolute error (GPa)", EV_PER_A3_IN_GPA),
    ):
        if name in history or f"val_{name}" in history:
            panels.append((name, title, unit, factor))
    # Four in a row are too small to read on a page.
    rows = 1 if len(panels) < 4 else 2
    columns = len(panels) // rows
    with new_figure(3.3 * columns, 3.0 * rows) as figure:
        for panel, (name, title, label, factor) in enumerate(panels, 1):
            axes = figure.add_subplot(rows, columns, panel)
            for key, color, text in ((name, GRAY, "training"), (f"val_{name}", BLUE, "validation")):
                values = factor * np.asarray(history.get(key, ()), dtype="float64")
                known = np.isfinite(values)
                if known.any():
                    epochs = np.arange(1, len(values) + 1)[known]
                    axes.plot(epochs, values[known], color=color, label=text, marker="o" if known.sum() < 3 else None, markersize=3)
            axes.set(title=title, xlabel="epoch", ylabel=label)
            if axes.lines:
                log_axis(axes)
            if panel == 1:
                axes.legend()
            axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def tradeoff(models: dict, x_labels: Sequence[str], y_label: str = "force error (meV/Å)", title: str | None = None) -> Figure:
    """Errors of models over their costs, one panel for each kind of cost, both axes logarithmic.

    Args:
        models: Dict from the names of models to `(*costs, error)`.
        x_labels: Names of the costs with their units, one for each panel.
        y_label: Name of the error with its unit.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a model has another number of costs than there are panels.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.tradeoff({"small": (2.0, 90.0), "large": (25.0, 30.0)}, ["time (µs/atom)"])
        >>> figure.axes[0].get_xlabel()
        'time (µs/atom)'
    """
    with new_figure(3.3 * len(x_labels) + 1.8, 3.2) as figure:
        panels = figure.subplots(1, len(x_labels), sharey=True, squeeze=False)[0]
        for number, (name, (*costs, error)) in enumerate(models.items()):
            if len(costs) != len(x_labels):
                raise ValueError(f"{name!r} has {len(costs)} costs, and there are {len(x_labels)} panels: {list(x_labels)}.")
            color, marker = shades()(0.9 * number / max(1, len(models) - 1)), "osD^v<>p*"[number % 9]
            for axes, cost in zip(panels, costs):
                axes.scatter(cost, error, color=color, marker=marker, s=34, label=name)
        for axes, label in zip(panels, x_labels):
            axes.set(xscale="log", yscale="log", xlabel=label)
            axes.margins(0.12)
            low, high = axes.get_xlim()
            plain_numbers(axes.xaxis, (1, 2, 5) if high < 30 * low else (1,))
        plain_numbers(panels[0].yaxis)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
        panels[0].set_ylabel(y_label)
        figure.suptitle(title)
    return figure


def learning_by_number(
    curves: dict, y_label: str, x_label: str = "structures with labels", title: str = "Learning curves"
) -> Figure:
    """Errors over the size of the training set, as means and standard deviations over several seeds, both axes logarithmic.

    Args:
        curves: Dict from names to `(numbers, errors)`: sizes of the training set `(points,)`, and errors `(seeds, points)`.
        y_label: Name of the error with its unit.
        x_label: Name of the size.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a curve does not have one error for each size.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.learning_by_number({"active": ([10, 20], [[90.0, 60.0], [80.0, 50.0]])}, "RMSE (meV/Å)")
        >>> figure.axes[0].lines[0].get_label()
        'active, 2 seeds'
    """
    with new_figure(4.6, 3.4) as figure:
        axes = figure.add_subplot()
        for (name, (numbers, errors)), color in zip(curves.items(), (BLUE, ORANGE, GREEN, GRAY)):
            errors = np.atleast_2d(errors)
            if errors.shape[1] != len(numbers):
                raise ValueError(f"The curve {name!r} has {len(numbers)} sizes and errors of shape {errors.shape}.")
            mean = errors.mean(axis=0)
            spread = errors.std(axis=0, ddof=1) if len(errors) > 1 else np.zeros(len(mean))
            axes.plot(numbers, mean, "o-", color=color, markersize=3.5, label=f"{name}, {len(errors)} seeds")
            axes.fill_between(numbers, mean - spread, mean + spread, color=color, alpha=0.2, linewidth=0)
        axes.set(title=title, xlabel=x_label, ylabel=y_label, xscale="log", yscale="log")
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis, (1, 1.2, 1.5, 2, 3, 5))
        axes.legend()
    return figure
