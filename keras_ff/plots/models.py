"""Figures of what models look like, what they see, and what they simulate."""

import numpy as np

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure, note, shades


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
    with new_figure(4.6, 3.4) as figure:
        axes = figure.add_subplot()
        for (name, values), (color, line) in zip(energies.items(), styles):
            if np.shape(values) != np.shape(x):
                raise ValueError(f"The curve {name!r} has the shape {np.shape(values)}, and x has {np.shape(x)}.")
            axes.plot(x, values, color=color, linestyle=line, label=name)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=limits)
        axes.legend()
    return figure


def filters(curves, distances=None, title=None):
    """Spline filters over distance and angle, with the distances of the data behind them.

    Args:
        curves: Dict from names to `(x, values)` with values `(points, filters)`, as from `SplineFilters.curves`. The filters named
            "g" are over the cosine of an angle, all others over a distance in Å.
        distances: Distances of neighbors in the data, in Å, for a histogram of neighbor shells.
        title: Of the figure.
    """
    with new_figure(3.6 * len(curves), 3.2) as figure:
        colormap = shades()
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
    with new_figure(4.6, 4.0) as figure:
        axes = figure.add_subplot()
        names = list(dict.fromkeys(groups.tolist()))
        for number, name in enumerate(names):
            chosen = groups == name
            color = shades()(number / max(1, len(names) - 1))
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
