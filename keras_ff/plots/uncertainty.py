"""Figures of predicted errors and of extrapolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More atoms than these are not drawn one by one.
MOST_POINTS = 5000


def reliability_diagram(points: dict, quantity: str = "forces", unit: str = "eV/Å", title: str = "Reliability") -> Figure:
    """Reliability diagram: true errors over predicted errors, in groups of similar prediction; a perfect one is on the diagonal.

    Args:
        points: Dict from names to `(predicted, true)` root-mean-square errors, each `(groups,)`, as from
            `keras_ff.models.reliability`.
        quantity: Name of the quantity that has the errors.
        unit: Unit of the errors.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.reliability_diagram({"ensemble": ([0.1, 0.2], [0.15, 0.3])})
        >>> figure.axes[0].get_xlabel()
        'predicted error of forces (eV/Å)'
    """
    with new_figure(3.9, 3.7) as figure:
        axes = figure.add_subplot()
        for (name, (predicted, true)), color in zip(points.items(), (BLUE, ORANGE, GREEN, GRAY)):
            axes.plot(predicted, true, "o-", color=color, markersize=4, label=name)
        highest = 1.05 * max(np.max(values) for pair in points.values() for values in pair)
        axes.plot([0, highest], [0, highest], color=GRAY, linewidth=0.8, zorder=1)
        axes.set(title=title, xlabel=f"predicted error of {quantity} ({unit})", ylabel=f"true error ({unit})", aspect="equal")
        axes.legend()
    return figure


def roc(
    inside, outside: dict, title: str = "Extrapolation", sets: tuple[str, str] = ("structures inside", "structures outside")
) -> Figure:
    """Receiver operating characteristic of a score that is to detect structures unlike the training set.

    For each threshold of the score: the fraction of unlike structures above it (true positives) over the fraction of structures
    like the training set above it (false positives). The area under the curve is 1 for a perfect score and 0.5 for chance.

    Args:
        inside: Scores of structures like the training set, any shape, or a dict of them with the names of `outside`.
        outside: Dict from names to scores of structures unlike it.
        title: Title of the figure.
        sets: What is inside and what is outside, for the labels of the axes, such as `("right atoms", "wrong atoms")`.

    Returns:
        `matplotlib.figure.Figure`, with the areas in the legend.

    Raises:
        ValueError: If a set is empty.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.roc([0.1, 0.2], {"hot": [0.3, 0.4]})
        >>> figure.axes[0].lines[0].get_label()
        'hot: 1.000'

    Reference:
        Fawcett, Pattern Recognit. Lett. 27, 861 (2006).
    """
    with new_figure(3.9, 3.7) as figure:
        axes = figure.add_subplot()
        for (name, scores), color in zip(outside.items(), (BLUE, ORANGE, GREEN, GRAY)):
            known, scores = np.sort(np.ravel(inside[name] if isinstance(inside, dict) else inside)), np.sort(np.ravel(scores))
            if not len(known) or not len(scores):
                raise ValueError(f"A curve needs scores of both sets. Received {len(known)} inside and {len(scores)} of {name!r}.")
            thresholds = np.concatenate([[np.inf], np.sort(np.concatenate([known, scores]))[::-1]])
            false_positives, true_positives = (
                1.0 - np.searchsorted(values, thresholds) / len(values) for values in (known, scores)
            )
            area = np.trapezoid(true_positives, false_positives)
            axes.plot(false_positives, true_positives, color=color, label=f"{name}: {area:.3f}")
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, zorder=1)
        axes.set(
            title=title,
            xlabel=f"fraction of {sets[0]}\nabove the threshold",
            ylabel=f"fraction of {sets[1]}\nabove it",
            aspect="equal",
        )
        axes.legend(loc="lower right", title="area under the curve")
    return figure


def grades_over_time(
    times,
    grades: dict,
    threshold: float = 1.0,
    y_label: str = "largest grade of an atom",
    title: str = "A simulation under watch",
) -> Figure:
    """Extrapolation grades along simulations, with the threshold above which a model extrapolates.

    Args:
        times: Times in fs, `(points,)`, or a dict of them with the names of `grades`. A simulation that ended early may have fewer
            grades than times.
        grades: Dict from names to grades `(points,)`, such as `Watch.grades`.
        threshold: Grade that is drawn as a line.
        y_label: Name of the grade.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.grades_over_time([0.0, 10.0, 20.0], {"600 K": [0.5, 0.9, 1.4]})
        >>> figure.axes[0].get_xlabel()
        'time (fs)'
    """
    with new_figure(5.2, 3.0) as figure:
        axes = figure.add_subplot()
        for (name, values), color in zip(grades.items(), (BLUE, ORANGE, GREEN, GRAY)):
            axes.plot(
                (times[name] if isinstance(times, dict) else np.asarray(times))[: len(values)], values, color=color, label=name
            )
        axes.axhline(threshold, color=GRAY, linewidth=0.8, linestyle="--")
        axes.set(title=title, xlabel="time (fs)", ylabel=y_label, yscale="log")
        axes.legend()
    return figure


def errors_by_grade(grades, errors, title: str = "Errors and extrapolation") -> Figure:
    """Errors of the forces on atoms over their extrapolation grades, with the mean error of groups of atoms of like grade.

    Args:
        grades: Extrapolation grades, `(atoms,)`, see `keras_ff.models.extrapolation_grades`; above 1 a model extrapolates.
        errors: Lengths of the errors of the forces in eV/Å, `(atoms,)`.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.errors_by_grade([0.2, 0.5, 1.5], [0.02, 0.05, 0.4])
        >>> figure.axes[0].get_xlabel()
        'extrapolation grade'
    """
    grades, errors = np.ravel(grades), np.ravel(errors)
    with new_figure(5.2, 3.4) as figure:
        axes = figure.add_subplot()
        chosen = np.random.default_rng(0).permutation(len(grades))[:MOST_POINTS]
        axes.plot(grades[chosen], 1e3 * errors[chosen], ".", color=BLUE, markersize=2, alpha=0.4, label="atom")
        groups = np.array_split(np.argsort(grades), int(np.clip(len(grades) // 20, 1, 12)))
        means = np.array([[np.median(grades[group]), 1e3 * errors[group].mean()] for group in groups])
        axes.plot(*means.T, "o-", color=ORANGE, markersize=4, label="mean")
        axes.axvline(1.0, color=GRAY, linewidth=0.8, linestyle="--")
        axes.set(title=title, xlabel="extrapolation grade", ylabel="error of the force (meV/Å)", xscale="log", yscale="log")
        axes.legend()
    return figure
