"""Figures of training and use. They need matplotlib: `pip install "keras_ff[plot]"`.

Each function returns a `matplotlib.figure.Figure`, which a notebook shows and
`figure.savefig("name.png")` writes; nothing is kept in the memory of pyplot.
"""

import contextlib
import functools
import io

import numpy as np

# Elementary charge 1.602176634e-19 C (exact since 2019), 1 Å = 1e-10 m.
_EV_PER_A3_IN_GPA = 160.2176634

# Okabe and Ito, "Color universal design" (2008): told apart by everyone.
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#666666"

_STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
    "figure.dpi": 100,
}

# More points than this are drawn as a density.
_MANY_POINTS = 3000


def learning_curves(history):
    """Loss and mean absolute errors over the epochs.

    Args:
        history: Dictionary of lists with one number for each epoch: `model.fit(...).history`, or the columns of `CSVLog`. Metrics
            are those of `keras_ff.training.default_metrics`.

    Raises:
        ValueError: If there is no loss.
    """
    if not len(history.get("loss", ())):
        raise ValueError(f"Learning curves need the loss of at least one epoch. Received the names {sorted(history)}.")
    panels = [("loss", "Loss", "loss", 1.0)]
    for name, title, unit, factor in (
        ("energy_per_atom_mae", "Energy", "mean absolute error (meV/atom)", 1e3),
        ("forces_mae", "Force components", "mean absolute error (meV/Å)", 1e3),
        ("stress_mae", "Stress components", "mean absolute error (GPa)", _EV_PER_A3_IN_GPA),
    ):
        if name in history or f"val_{name}" in history:
            panels.append((name, title, unit, factor))
    with _figure(3.3 * len(panels), 3.0) as figure:
        for place, (name, title, label, factor) in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            for key, color, text in ((name, GRAY, "training"), (f"val_{name}", BLUE, "validation")):
                values = factor * np.asarray(history.get(key, ()), dtype="float64")
                known = np.isfinite(values)
                if known.any():
                    epochs = np.arange(1, len(values) + 1)[known]
                    axes.plot(epochs, values[known], color=color, label=text, marker="o" if known.sum() < 3 else None, markersize=3)
            axes.set(title=title, xlabel="epoch", ylabel=label)
            if axes.lines:
                _log_axis(axes)
            if place == 1:
                axes.legend()
            axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def parity(reference, predicted, quantity="energy", unit="eV/atom", error_unit=None, error_factor=1.0):
    """Prediction against reference, with the mean absolute and the root-mean-square error.

    Args:
        reference: Values of any shape; NaN is left out.
        predicted: The same shape.
        quantity: Name for the title and the axes.
        unit: Of the values.
        error_unit: Of the errors that are written into the figure, by default `unit`.
        error_factor: From `unit` to `error_unit`.

    Raises:
        ValueError: If the shapes differ or no value is finite.

    Example:
        >>> figure = parity([1.0, 2.0], [1.1, 1.9], "energy", "eV/atom", "meV/atom", 1e3)
        >>> figure.axes[0].get_xlabel()
        'reference (eV/atom)'
    """
    reference, predicted = _flat_pair(reference, predicted)
    error = error_factor * (predicted - reference)
    low, high = min(reference.min(), predicted.min()), max(reference.max(), predicted.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    many = len(reference) > _MANY_POINTS
    with _figure(4.6 if many else 3.9, 3.7) as figure:
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
        _note(axes, _errors_text(error, error_unit or unit))
    return figure


def reliability_diagram(points, quantity="forces", unit="eV/Å", title="Reliability"):
    """True against predicted errors of values that are alike in the predicted ones. A perfect prediction is on the diagonal.

    Args:
        points: Dict from names to `(predicted, true)` errors, as from `keras_ff.models.reliability`.
        quantity: What the errors are of.
        unit: Of the errors.
        title: Of the figure.
    """
    with _figure(3.9, 3.7) as figure:
        axes = figure.add_subplot()
        for (name, (predicted, found)), color in zip(points.items(), (BLUE, ORANGE, GREEN, GRAY)):
            axes.plot(predicted, found, "o-", color=color, markersize=4, label=name)
        highest = 1.05 * max(np.max(values) for pair in points.values() for values in pair)
        axes.plot([0, highest], [0, highest], color=GRAY, linewidth=0.8, zorder=1)
        axes.set(title=title, xlabel=f"predicted error of {quantity} ({unit})", ylabel=f"true error ({unit})", aspect="equal")
        axes.legend()
    return figure


def error_histogram(reference, predicted, quantity="force components", unit="eV/Å", error_unit=None, error_factor=1.0):
    """Distribution of the errors on a logarithmic scale, where outliers show.

    Args and errors as `parity`.
    """
    reference, predicted = _flat_pair(reference, predicted)
    error = error_factor * (predicted - reference)
    error_unit = error_unit or unit
    extent = np.abs(error).max() or 1.0
    with _figure(4.2, 3.2) as figure:
        axes = figure.add_subplot()
        counts, _, _ = axes.hist(error, bins=np.linspace(-extent, extent, 61), color=BLUE, log=True)
        axes.set_ylim(0.7, 8 * counts.max())  # Room for the text.
        axes.axvline(0.0, color=GRAY, linewidth=0.8)
        axes.set(title=f"Errors of {quantity}", xlabel=f"predicted - reference ({error_unit})", ylabel="number of values")
        _note(axes, _errors_text(error, error_unit))
    return figure


def curves(x, energies, x_label="distance (Å)", y_label="energy (eV)", limits=None, title=None):
    """Several curves over one axis, such as the energy of a dimer after several models.

    Args:
        x: `(points,)`.
        energies: Dict from names to `(points,)`.
        x_label: Of the horizontal axis, with its unit.
        y_label: Of the vertical axis, with its unit.
        limits: Lowest and highest value shown; by default all are.
        title: Of the figure.

    Raises:
        ValueError: If a curve has another number of points than `x`.
    """
    styles = [(color, line) for line in ("-", "--", ":") for color in (BLUE, ORANGE, GREEN, GRAY)]
    with _figure(4.6, 3.4) as figure:
        axes = figure.add_subplot()
        for (name, values), (color, line) in zip(energies.items(), styles):
            if np.shape(values) != np.shape(x):
                raise ValueError(f"The curve {name!r} has the shape {np.shape(values)}, and x has {np.shape(x)}.")
            axes.plot(x, values, color=color, linestyle=line, label=name)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=limits)
        axes.legend()
    return figure


def tradeoff(models, x_labels, y_label="force error (meV/Å)", title=None):
    """What models cost and how good they are: one panel for each cost, both axes logarithmic.

    Args:
        models: Dict from the names of models to `(*costs, error)`.
        x_labels: Names of the costs with their units, one for each panel.
        y_label: Name of the error with its unit.
        title: Of the figure.

    Raises:
        ValueError: If a model has another number of costs than there are panels.
    """
    with _figure(3.3 * len(x_labels) + 1.8, 3.2) as figure:
        panels = figure.subplots(1, len(x_labels), sharey=True, squeeze=False)[0]
        for number, (name, (*costs, error)) in enumerate(models.items()):
            if len(costs) != len(x_labels):
                raise ValueError(f"{name!r} has {len(costs)} costs, and there are {len(x_labels)} panels: {list(x_labels)}.")
            color, marker = _colormap()(0.9 * number / max(1, len(models) - 1)), "osD^v<>p*"[number % 9]
            for axes, cost in zip(panels, costs):
                axes.scatter(cost, error, color=color, marker=marker, s=34, label=name)
        for axes, label in zip(panels, x_labels):
            axes.set(xscale="log", yscale="log", xlabel=label)
            axes.margins(0.12)
            low, high = axes.get_xlim()
            _plain_numbers(axes.xaxis, (1, 2, 5) if high < 30 * low else (1,))
        _plain_numbers(panels[0].yaxis)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
        panels[0].set_ylabel(y_label)
        figure.suptitle(title)
    return figure


def filters(curves, distances=None, title=None):
    """Spline filters over distance and angle, with the distances of the data behind them.

    Args:
        curves: Dict from names to `(x, values)` with values `(points, filters)`, as from `SplineFilters.curves`. The filters named
            "g" are over the cosine of an angle, all others over a distance in Å.
        distances: Distances of neighbors in the data, in Å, for a histogram of neighbor shells.
        title: Of the figure.
    """
    with _figure(3.6 * len(curves), 3.2) as figure:
        colormap = _colormap()
        for place, (name, (x, values)) in enumerate(curves.items(), 1):
            axes = figure.add_subplot(1, len(curves), place)
            for number, column in enumerate(np.transpose(values)):
                axes.plot(x, column, color=colormap(number / max(1, values.shape[1] - 1)), linewidth=1.2)
            angular = name == "g"
            if distances is not None and not angular:
                shells = axes.twinx()
                shells.hist(np.asarray(distances), bins=120, range=(x[0], x[-1]), color="#cccccc", zorder=0)
                shells.set(yticks=[])
                shells.spines["right"].set_visible(False)
                axes.set(zorder=shells.get_zorder() + 1, frame_on=False)
            axes.set(title=f"{name}, {values.shape[1]} filters", xlabel="cosine of the angle" if angular else "distance (Å)")
            if place == 1:
                axes.set_ylabel("filter")
        figure.suptitle(title)
    return figure


def projection(features, groups, title="Environments, two principal components"):
    """Features of atoms in the plane of their two largest principal components, colored by group.

    Args:
        features: `(atoms, features)`.
        groups: Name of the group of each atom, `(atoms,)`.
        title: Of the figure.
    """
    features, groups = np.asarray(features, dtype="float64"), np.asarray(groups)
    if len(features) != len(groups):
        raise ValueError(f"Each atom needs a group. Received {len(features)} rows of features and {len(groups)} groups.")
    centered = features - features.mean(axis=0)
    spread = centered.std(axis=0)
    _, sizes, axes_of_spread = np.linalg.svd(centered / np.where(spread > 0, spread, 1.0), full_matrices=False)
    points = (centered / np.where(spread > 0, spread, 1.0)) @ axes_of_spread[:2].T
    share = 100 * sizes**2 / np.sum(sizes**2)
    with _figure(4.6, 4.0) as figure:
        axes = figure.add_subplot()
        names = list(dict.fromkeys(groups.tolist()))
        for number, name in enumerate(names):
            chosen = groups == name
            color = _colormap()(number / max(1, len(names) - 1))
            axes.scatter(*points[chosen].T, s=4, alpha=0.5, color=color, label=name, linewidths=0)
        axes.set(xlabel=f"component 1 ({share[0]:.0f} %)", ylabel=f"component 2 ({share[1]:.0f} %)", title=title)
        axes.legend(markerscale=3)
    return figure


def energy_conservation(times, energies, n_atoms, temperatures=None):
    """Total energy of a simulation at constant energy, per atom and relative to its mean, with its drift.

    Args:
        times: In fs, (steps,).
        energies: Total energy, potential and kinetic, in eV, (steps,).
        n_atoms: Number of atoms.
        temperatures: In K, (steps,), drawn below if given.

    Raises:
        ValueError: If the lengths differ or there are fewer than two steps.
    """
    times, energies = np.asarray(times, dtype="float64"), np.asarray(energies, dtype="float64")
    if times.shape != energies.shape or times.ndim != 1 or len(times) < 2:
        raise ValueError(f"Expected times and energies of the same two or more steps. Received {times.shape} and {energies.shape}.")
    deviation, drift, spread = energy_drift(times, energies, n_atoms)
    rows = 1 if temperatures is None else 2
    with _figure(5.6, 2.1 + 1.5 * rows) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[2, 1][:rows])[:, 0]
        axes[0].plot(times / 1000, deviation, color=BLUE, linewidth=1.0)
        largest = 1.6 * np.abs(deviation).max() or 1.0
        axes[0].set(title="Energy conservation", ylabel="total energy - mean\n(meV/atom)", ylim=(-largest, largest))
        _note(axes[0], f"drift {drift:+.3g} meV/atom/ps\nfluctuation {spread:.2g} meV/atom")
        if temperatures is not None:
            axes[1].plot(times / 1000, temperatures, color=ORANGE, linewidth=1.0)
            axes[1].set(ylabel="temperature (K)")
        axes[-1].set(xlabel="time (ps)")
    return figure


def energy_drift(times, energies, n_atoms):
    """How well a simulation conserves its energy.

    Args:
        times: In fs, (steps,).
        energies: Total energy in eV, (steps,).
        n_atoms: Number of atoms.

    Returns:
        Tuple of the deviation from the mean in meV/atom, (steps,), the slope of a straight line through it in meV/atom/ps, and the
        root mean square of what the line leaves in meV/atom.

    Example:
        >>> _, drift, fluctuation = energy_drift([0.0, 1000.0, 2000.0], [1.0, 1.1, 1.2], n_atoms=10)
        >>> round(drift, 6), round(fluctuation, 6)
        (10.0, 0.0)
    """
    times, energies = np.asarray(times, dtype="float64"), np.asarray(energies, dtype="float64")
    deviation = 1e3 * (energies - energies.mean()) / n_atoms
    slope, start = np.polyfit(times / 1000, deviation, 1)
    rest = deviation - slope * times / 1000 - start
    return deviation, float(slope), float(np.sqrt(np.mean(rest**2)))


def _colormap():
    import matplotlib

    return matplotlib.colormaps["viridis"]


@contextlib.contextmanager
def _figure(width, height):
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('Figures need matplotlib, which is not installed: pip install "keras_ff[plot]".') from error
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        # Notebooks ask for this; without pyplot they know no other way to show a figure.
        figure._repr_png_ = functools.partial(_png, figure)
        yield figure


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


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


def _note(axes, text):
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", ha="left", fontsize=8.5, bbox=box, zorder=5)


def _log_axis(axes):
    """Logarithmic, with plain numbers where the axis spans less than a decade or two."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if not (values > 0).all():
        return
    axes.set_yscale("log")
    low, high = values.min(), values.max()
    if high / low < 300:
        _plain_numbers(axes.yaxis)


def _plain_numbers(axis, digits=(1, 2, 5)):
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
