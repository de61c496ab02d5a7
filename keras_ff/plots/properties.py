"""Figures of properties, and of fits to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.eos import EquationOfState as Fitted
from ase.units import GPa

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure

if TYPE_CHECKING:
    from ase.dft.kpoints import BandPath
    from matplotlib.figure import Figure

COLORS = (BLUE, ORANGE, GREEN, GRAY)


def bands(path: BandPath, frequencies: dict, points: dict | None = None, title: str = "Phonons") -> Figure:
    """Phonon bands: frequencies along a path through the Brillouin zone.

    Args:
        path: Path, as from `keras_ff.properties.band_path`.
        frequencies: Dict from names to frequencies `(wave vectors, modes)` in THz, such as `Phonons(model, atoms, path.kpts)()`.
        points: Dict from special points of the path, such as "X", to reference frequencies in THz, drawn as dots.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> path = kff.properties.band_path(bulk("Si"), "GX", points=3)
        >>> figure = kff.plots.bands(path, {"a model": [[0.0, 15.0], [4.0, 14.0], [6.0, 12.0]]})
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['Γ', 'X']
    """
    x, ticks, labels = path.get_linear_kpoint_axis()
    with new_figure(5.2, 3.6) as figure:
        axes = figure.add_subplot()
        for (name, values), color in zip(frequencies.items(), COLORS):
            lines = axes.plot(x, values, color=color, linewidth=1.2)
            lines[0].set_label(name)
        for tick, label in zip(ticks, labels):
            values = (points or {}).get(label, ())
            axes.plot(np.full(len(values), tick), values, "o", color="black", markersize=4, clip_on=False)
        axes.set(xlim=(x[0], x[-1]), ylabel="frequency (THz)", title=title)
        axes.set_xticks(ticks, ["Γ" if label == "G" else label for label in labels])
        axes.axhline(0.0, color=GRAY, linewidth=0.6)
        if len(frequencies) > 1:
            axes.legend()
    return figure


def density_of_states(at, densities: dict, title: str = "Phonon density of states") -> Figure:
    """Phonon densities of states over the frequency.

    Args:
        at: Frequencies in THz, `(points,)`.
        densities: Dict from names to densities `(points,)` in modes per THz, as from `keras_ff.properties.density_of_states`.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.density_of_states([0.0, 5.0, 10.0], {"a model": [0.0, 0.8, 0.1]})
        >>> figure.axes[0].get_ylabel()
        'modes per THz'
    """
    return _curves(at, densities, "frequency (THz)", "modes per THz", title)


def vibrational_density(frequencies, densities: dict, title: str = "Vibrations") -> Figure:
    """Vibrational densities of states of simulations over the frequency.

    Args:
        frequencies: Frequencies in THz, `(frequencies,)`.
        densities: Dict from names to densities `(frequencies,)` in 1/THz, as from `keras_ff.properties.VibrationalDensity`.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.vibrational_density([0.0, 5.0, 10.0], {"liquid": [0.05, 0.08, 0.01]})
        >>> figure.axes[0].get_xlabel()
        'frequency (THz)'
    """
    return _curves(frequencies, densities, "frequency (THz)", "density of states (1/THz)", title)


def radial_distribution(radii, distributions: dict, known: str | None = None, title: str = "Radial distribution") -> Figure:
    """Radial distribution functions g(r) over the distance.

    Args:
        radii: Distances in Å, `(radii,)`.
        distributions: Dict from names to g(r), `(radii,)`, as from `keras_ff.properties.RadialDistribution`.
        known: Name of the reference among them; it is drawn broad and gray.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.radial_distribution([2.0, 2.5, 3.0], {"measured": [0.0, 2.5, 0.7]}, known="measured")
        >>> figure.axes[0].get_ylabel()
        'g(r)'
    """
    figure = _curves(radii, distributions, "r (Å)", "g(r)", title)
    if known is not None:
        axes = figure.axes[0]
        next(line for line in axes.lines if line.get_label() == known).set(color=GRAY, linewidth=4.0, alpha=0.6)
        axes.legend()
    return figure


def equation_of_state(volumes, energies, title: str = "Equation of state") -> Figure:
    """Energy over volume, with the fitted curve of Birch and Murnaghan, its minimum and the bulk modulus.

    Args:
        volumes: Volumes in Å³ per atom, `(points,)`, such as `EquationOfState(...).volumes()`.
        energies: Energies in eV per atom, `(points,)`, such as `EquationOfState(...)()`.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> volumes = np.linspace(19.8, 20.2, 7)
        >>> figure = kff.plots.equation_of_state(volumes, 0.01 * (volumes - 20.0) ** 2 - 4.0)
        >>> figure.axes[0].texts[0].get_text().splitlines()[-1]
        'B = 64.1 GPa'

    Reference:
        Birch, Phys. Rev. 71, 809 (1947).
    """
    fitted = Fitted(volumes, energies, eos="birchmurnaghan")
    volume, energy, modulus = fitted.fit()
    x = np.linspace(min(volumes), max(volumes), 200)
    with new_figure(4.4, 3.4) as figure:
        axes = figure.add_subplot()
        axes.plot(x, fitted.func(x, *fitted.eos_parameters), color=GRAY)
        axes.plot(volumes, energies, "o", color=BLUE)
        axes.set(xlabel="volume (Å³/atom)", ylabel="energy (eV/atom)", title=title)
        text = f"{volume:.3f} Å³/atom\n{energy:.4f} eV/atom\nB = {modulus / GPa:.1f} GPa"
        axes.text(0.5, 0.95, text, transform=axes.transAxes, va="top", ha="center")
    return figure


def fit_history(history: list[dict], title: str = "Fit") -> Figure:
    """Losses of all targets over the evaluations of a fit to properties.

    Args:
        history: List of dicts from the names of targets and "total" to losses: `Fit.history`.
        title: Title of the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> import keras_ff as kff
        >>> figure = kff.plots.fit_history([{"elastic": 1.0, "total": 1.0}, {"elastic": 0.1, "total": 0.1}])
        >>> figure.axes[0].get_xlabel()
        'evaluation'
    """
    with new_figure(5.2, 3.2) as figure:
        axes = figure.add_subplot()
        _history(axes, history)
        axes.set_title(title)
    return figure


def fit_report(fit, title: str = "Fit") -> Figure:
    """Report of a fit to properties: its losses, and each property before and after the fit beside its target.

    Properties over radii or frequencies are drawn as curves, all others over the values of their targets.

        fit = keras_ff.fitting.Fit(model, targets)
        fit.minimize()
        keras_ff.plots.fit_report(fit).savefig("fit.png")

    Args:
        fit: `keras_ff.fitting.Fit` after `minimize` or `train`.
        title: Title of the first panel.

    Returns:
        `matplotlib.figure.Figure`.
    """
    drawn = {name: target for name, target in fit.targets.items() if hasattr(target, "before")}
    columns = 1 + len(drawn)
    with new_figure(3.4 * columns, 3.2) as figure:
        axes = figure.subplots(1, columns, squeeze=False)[0]
        _history(axes[0], fit.history)
        axes[0].set_title(title)
        for axis, (name, target) in zip(axes[1:], drawn.items()):
            shown = {"before": target.before, "after": target.current()}
            x_label, x = target.property.abscissa
            if x is not None and np.shape(x) == target.value.shape:
                axis.plot(x, target.value, color=GRAY, linewidth=4.0, alpha=0.6, label="target")
                for (label, values), color in zip(shown.items(), (ORANGE, BLUE)):
                    axis.plot(x, values, color=color, label=label)
                axis.set(xlabel=x_label)
            else:
                ends = [np.min([target.value, *shown.values()]), np.max([target.value, *shown.values()])]
                axis.plot(ends, ends, color=GRAY, linewidth=0.8)
                for (label, values), color in zip(shown.items(), (ORANGE, BLUE)):
                    axis.plot(target.value.ravel(), np.ravel(values), "o", color=color, markersize=4, label=label)
                axis.set(xlabel="target")
            axis.set_title(name)
            axis.legend()
    return figure


def _history(axes, history):
    """Draw the losses of all targets over the evaluations."""
    names = [name for name in history[0] if name != "total"]
    for name, color in zip(names, COLORS * len(names)):
        axes.plot([losses.get(name, np.nan) for losses in history], color=color, label=name)
    if len(names) > 1:
        axes.plot([losses["total"] for losses in history], color="black", label="total")
    axes.set(xlabel="evaluation", ylabel="loss", yscale="log")
    axes.legend()


def _curves(x, values, x_label, y_label, title):
    """Figure of named curves above zero."""
    with new_figure(5.2, 3.0) as figure:
        axes = figure.add_subplot()
        for (name, y), color in zip(values.items(), (BLUE, ORANGE, GREEN, "black", GRAY)):
            axes.plot(x, y, color=color, label=name)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=(0.0, None), xlim=(np.min(x), np.max(x)))
        if len(values) > 1:
            axes.legend()
    return figure
