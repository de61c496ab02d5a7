"""The usual pictures of properties. They need matplotlib, see `keras_ff.plots`."""

import numpy as np
from ase.eos import EquationOfState as Fitted
from ase.units import GPa

from keras_ff.plots.figures import BLUE, GRAY, GREEN, ORANGE, new_figure

COLORS = (BLUE, ORANGE, GREEN, GRAY)


def bands(path, frequencies, points=None, title="Phonons"):
    """Phonon bands along a path.

    Args:
        path: What `band_path` returned.
        frequencies: Dict from names to `(points, modes)` in THz, such as `Phonons(model, atoms, path.kpts)()`.
        points: Dict from special points of the path, such as "X", to frequencies in THz that are drawn as dots there.
        title: Of the figure.
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


def density_of_states(at, densities, title="Phonon density of states"):
    """Densities of states over the frequency.

    Args:
        at: Frequencies in THz, `(points,)`.
        densities: Dict from names to `(points,)` in modes per THz.
        title: Of the figure.
    """
    return _curves(at, densities, "frequency (THz)", "modes per THz", title)


def vibrational_density(frequencies, densities, title="Vibrations"):
    """Vibrational densities of states over the frequency.

    Args:
        frequencies: In THz, `(frequencies,)`.
        densities: Dict from names to `(frequencies,)` in 1/THz.
        title: Of the figure.
    """
    return _curves(frequencies, densities, "frequency (THz)", "density of states (1/THz)", title)


def radial_distribution(radii, distributions, known=None, title="Radial distribution"):
    """Radial distribution functions.

    Args:
        radii: In Å, `(radii,)`.
        distributions: Dict from names to `(radii,)`.
        known: Name of the one that the others are to be compared with; it is drawn broad and gray.
        title: Of the figure.
    """
    figure = _curves(radii, distributions, "r (Å)", "g(r)", title)
    if known is not None:
        axes = figure.axes[0]
        next(line for line in axes.lines if line.get_label() == known).set(color=GRAY, linewidth=4.0, alpha=0.6)
        axes.legend()
    return figure


def equation_of_state(volumes, energies, title="Equation of state"):
    """Energy per atom over volume per atom, with the fitted curve, its minimum and the bulk modulus.

    Args:
        volumes: In Å³ per atom, `(points,)`.
        energies: In eV per atom, `(points,)`.
        title: Of the figure.
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


def fit_history(history, title="Fit"):
    """Losses of all targets over the evaluations of a fit.

    Args:
        history: `Fit.history`.
        title: Of the figure.
    """
    with new_figure(5.2, 3.2) as figure:
        axes = figure.add_subplot()
        _history(axes, history)
        axes.set_title(title)
    return figure


def fit_report(fit, title="Fit"):
    """The losses of a fit, and what each property was before and is now, beside its target.

    Properties of one row with an axis of their own, radii or frequencies, are drawn as curves, others against their targets.

    Args:
        fit: `keras_ff.fitting.Fit` after `minimize` or `train`.
        title: Of the figure.
    """
    drawn = {name: target for name, target in fit.targets.items() if hasattr(target, "before")}
    columns = 1 + len(drawn)
    with new_figure(3.4 * columns, 3.2) as figure:
        axes = figure.subplots(1, columns, squeeze=False)[0]
        _history(axes[0], fit.history)
        axes[0].set_title(title)
        for axis, (name, target) in zip(axes[1:], drawn.items()):
            shown = {"before": target.before, "after": target.now()}
            x = getattr(target.property, "radii", getattr(target.property, "frequencies", None))
            if x is not None and np.shape(x) == target.value.shape:
                axis.plot(x, target.value, color=GRAY, linewidth=4.0, alpha=0.6, label="target")
                for (label, values), color in zip(shown.items(), (ORANGE, BLUE)):
                    axis.plot(x, values, color=color, label=label)
                axis.set(xlabel="r (Å)" if hasattr(target.property, "radii") else "frequency (THz)")
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
    """Losses of all targets over the evaluations."""
    names = [name for name in history[0] if name != "total"]
    for name, color in zip(names, COLORS * len(names)):
        axes.plot([losses.get(name, np.nan) for losses in history], color=color, label=name)
    if len(names) > 1:
        axes.plot([losses["total"] for losses in history], color="black", label="total")
    axes.set(xlabel="evaluation", ylabel="loss", yscale="log")
    axes.legend()


def _curves(x, values, x_label, y_label, title):
    """Named curves above zero."""
    with new_figure(5.2, 3.0) as figure:
        axes = figure.add_subplot()
        for (name, y), color in zip(values.items(), (BLUE, ORANGE, GREEN, "black", GRAY)):
            axes.plot(x, y, color=color, label=name)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=(0.0, None), xlim=(np.min(x), np.max(x)))
        if len(values) > 1:
            axes.legend()
    return figure
