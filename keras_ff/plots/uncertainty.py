"""Figures of what models know of their own errors."""

import numpy as np

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure


def reliability_diagram(points, quantity="forces", unit="eV/Å", title="Reliability"):
    """True against predicted errors of values that are alike in the predicted ones. A perfect prediction is on the diagonal.

    Args:
        points: Dict from names to `(predicted, true)` errors, as from `keras_ff.models.reliability`.
        quantity: What the errors are of.
        unit: Of the errors.
        title: Of the figure.
    """
    with new_figure(3.9, 3.7) as figure:
        axes = figure.add_subplot()
        for (name, (predicted, found)), color in zip(points.items(), (BLUE, ORANGE, GREEN, GRAY)):
            axes.plot(predicted, found, "o-", color=color, markersize=4, label=name)
        highest = 1.05 * max(np.max(values) for pair in points.values() for values in pair)
        axes.plot([0, highest], [0, highest], color=GRAY, linewidth=0.8, zorder=1)
        axes.set(title=title, xlabel=f"predicted error of {quantity} ({unit})", ylabel=f"true error ({unit})", aspect="equal")
        axes.legend()
    return figure


def roc(inside, outside, title="Extrapolation"):
    """How well a score tells structures apart: part of those outside that are found over the part inside that is taken for them.

    Args:
        inside: Scores of structures like the training set.
        outside: Dict from names to scores of other structures.
        title: Of the figure.

    Raises:
        ValueError: If a set is empty.
    """
    inside = np.sort(np.ravel(inside))[::-1]
    with new_figure(3.9, 3.7) as figure:
        axes = figure.add_subplot()
        for (name, scores), color in zip(outside.items(), (BLUE, ORANGE, GREEN, GRAY)):
            scores = np.ravel(scores)
            if not len(inside) or not len(scores):
                raise ValueError(f"A curve needs scores of both sets. Received {len(inside)} inside and {len(scores)} of {name!r}.")
            thresholds = np.concatenate([[np.inf], np.sort(np.concatenate([inside, scores]))[::-1]])
            wrong, right = (np.mean(values[None] >= thresholds[:, None], axis=1) for values in (inside, scores))
            area = np.trapezoid(right, wrong)
            axes.plot(wrong, right, color=color, label=f"{name}: {area:.3f}")
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, zorder=1)
        axes.set(title=title, xlabel="part taken for extrapolation inside", ylabel="part found outside", aspect="equal")
        axes.legend(loc="lower right", title="area under the curve")
    return figure


def watched(times, grades, threshold=1.0, y_label="largest grade of an atom", title="A simulation under watch"):
    """Grades along simulations, with the threshold above which a model extrapolates.

    Args:
        times: In fs, `(points,)`, or a dict like `grades`.
        grades: Dict from names to grades `(points,)`, such as `Watch.grades`.
        threshold: Drawn as a line.
        y_label: Name of the grade.
        title: Of the figure.
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
