"""Figures of energy curves, filters and descriptors of models, and of simulations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure, note, shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(
    x,
    energies: dict,
    x_label: str = "distance (Å)",
    y_label: str = "energy (eV)",
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Curves of several models over one axis, such as the energy of a dimer over the distance.

    Args:
        x: Values on the horizontal axis, `(points,)`.
        energies: Dict from the names of the curves to their values, `(points,)`.
        x_label: Label of the horizontal axis, with its unit.
        y_label: Label of the vertical axis, with its unit.
        limits: Lowest and highest value that is shown; by default all are.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a curve has another number of points than `x`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.curves([2.0, 2.5, 3.0], {"one": [1.0, 0.0, 0.5], "two": [1.2, 0.0, 0.4]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['one', 'two']
    """
    styles = [(color, line) for line in ("-", "--", ":") for color in (BLUE, ORANGE, GREEN, GRAY)]
    with new_figure(4.6, 3.4) as figure:
        axes = figure.add_subplot()
        for (name, values), (color, line) in zip(energies.items(), styles):
            if np.shape(values) != np.shape(x):
                raise ValueError(f"The curve {name!r} has the shape {np.shape(values)}, and x has {np.shape(x)}.")
            axes.plot(x, values, color=color, linestyle=line, label=name)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=limits)
        axes.legend()
    return figure


def filters(curves: dict, distances=None, title: str | None = None) -> Figure:
    """Spline filters of a `SplineNetwork` over distance and angle, in front of a histogram of the distances in the data.

    Args:
        curves: Dict from names to `(x, values)`, with x `(points,)` and values `(points, filters)`, as from `SplineFilters.curves`.
            The filters named "g" are over the cosine of an angle, all others over a distance in Å.
        distances: Distances of neighbors in the data, in Å, any shape; without them there is no histogram.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure` with one panel for each name.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.filters({"rho": (np.linspace(1.0, 5.0, 9), np.ones((9, 2)))})
        >>> figure.axes[0].get_title()
        'rho, 2 filters'
    """
    with new_figure(3.6 * len(curves), 3.2) as figure:
        colormap = shades()
        for panel, (name, (x, values)) in enumerate(curves.items(), 1):
            axes = figure.add_subplot(1, len(curves), panel)
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
            if panel == 1:
                axes.set_ylabel("filter")
        figure.suptitle(title)
    return figure


def projection(features, groups, title: str = "Environments, two principal components") -> Figure:
    """Descriptors of atoms in the plane of their two largest principal components, colored by group.

    Each feature is divided by its standard deviation first.

    Args:
        features: Descriptors `(atoms, features)`, such as `np.concatenate(model.describe(dataset))`.
        groups: Name of the group of each atom, `(atoms,)`, such as its element or the file it comes from.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is not one group for each atom.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.projection([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]], ["Si", "Si", "O"])
        >>> figure.axes[0].get_xlabel()
        'component 1 (100 %)'
    """
    features, groups = np.asarray(features, dtype="float64"), np.asarray(groups)
    if len(features) != len(groups):
        raise ValueError(f"Each atom needs a group. Received {len(features)} rows of features and {len(groups)} groups.")
    centered = features - features.mean(axis=0)
    spread = centered.std(axis=0)
    _, sizes, axes_of_spread = np.linalg.svd(centered / np.where(spread > 0, spread, 1.0), full_matrices=False)
    points = (centered / np.where(spread > 0, spread, 1.0)) @ axes_of_spread[:2].T
    percent = 100 * sizes**2 / np.sum(sizes**2)
    with new_figure(4.6, 4.0) as figure:
        axes = figure.add_subplot()
        names = list(dict.fromkeys(groups.tolist()))
        for number, name in enumerate(names):
            chosen = groups == name
            color = shades()(number / max(1, len(names) - 1))
            axes.scatter(*points[chosen].T, s=4, alpha=0.5, color=color, label=name, linewidths=0)
        axes.set(xlabel=f"component 1 ({percent[0]:.0f} %)", ylabel=f"component 2 ({percent[1]:.0f} %)", title=title)
        axes.legend(markerscale=3)
    return figure


def energy_conservation(times, energies, n_atoms: int, temperatures=None) -> Figure:
    """Total energy of a simulation at constant energy over time, per atom and relative to its mean, with its drift.

    Args:
        times: Times in fs, `(steps,)`.
        energies: Total energies, potential and kinetic, in eV, `(steps,)`.
        n_atoms: Number of atoms.
        temperatures: Temperatures in K, `(steps,)`, for a second panel; without them there is none.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the lengths differ or there are fewer than two steps.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.energy_conservation([0.0, 1000.0, 2000.0], [1.0, 1.1, 1.2], n_atoms=10)
        >>> "drift +10 meV/atom/ps" in figure.axes[0].texts[0].get_text()
        True
    """
    times, energies = np.asarray(times, dtype="float64"), np.asarray(energies, dtype="float64")
    if times.shape != energies.shape or times.ndim != 1 or len(times) < 2:
        raise ValueError(f"Expected times and energies of the same two or more steps. Received {times.shape} and {energies.shape}.")
    deviation, drift, spread = energy_drift(times, energies, n_atoms)
    rows = 1 if temperatures is None else 2
    with new_figure(5.6, 2.1 + 1.5 * rows) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[2, 1][:rows])[:, 0]
        axes[0].plot(times / 1000, deviation, color=BLUE, linewidth=1.0)
        largest = 1.6 * np.abs(deviation).max() or 1.0
        axes[0].set(title="Energy conservation", ylabel="total energy - mean\n(meV/atom)", ylim=(-largest, largest))
        note(axes[0], f"drift {drift:+.3g} meV/atom/ps\nfluctuation {spread:.2g} meV/atom")
        if temperatures is not None:
            axes[1].plot(times / 1000, temperatures, color=ORANGE, linewidth=1.0)
            axes[1].set(ylabel="temperature (K)")
        axes[-1].set(xlabel="time (ps)")
    return figure


def energy_drift(times, energies, n_atoms: int) -> tuple[np.ndarray, float, float]:
    """Drift and fluctuation of the total energy of a simulation at constant energy.

    Args:
        times: Times in fs, `(steps,)`.
        energies: Total energies, potential and kinetic, in eV, `(steps,)`.
        n_atoms: Number of atoms.

    Returns:
        Tuple of the deviations from the mean in meV/atom, `(steps,)`, the slope of a straight line through them in meV/atom/ps, and
        the root mean square of the differences to that line in meV/atom.

    Example:
        >>> import keras_ff as kff
        >>> _, drift, fluctuation = kff.plots.energy_drift([0.0, 1000.0, 2000.0], [1.0, 1.1, 1.2], n_atoms=10)
        >>> round(drift, 6), round(fluctuation, 6)
        (10.0, 0.0)
    """
    times, energies = np.asarray(times, dtype="float64"), np.asarray(energies, dtype="float64")
    deviation = 1e3 * (energies - energies.mean()) / n_atoms
    slope, start = np.polyfit(times / 1000, deviation, 1)
    difference = deviation - slope * times / 1000 - start
    return deviation, float(slope), float(np.sqrt(np.mean(difference**2)))
