"""The common style of all figures."""

import contextlib
import functools
import io

import numpy as np

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


@contextlib.contextmanager
def new_figure(width: float, height: float):
    """Context that yields an empty `matplotlib.figure.Figure` in the style of the library, which a notebook can show.

    Args:
        width: Width in inches.
        height: Height in inches.

    Raises:
        ImportError: If matplotlib is not installed.
    """
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


def shades():
    """Return the color map for series of curves: a function from 0 to 1 to a color."""
    import matplotlib

    return matplotlib.colormaps["viridis"]


def note(axes, text: str) -> None:
    """Write a few lines of text into the upper left corner of the axes."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", ha="left", fontsize=8.5, bbox=box, zorder=5)


def log_axis(axes) -> None:
    """Make the vertical axis logarithmic if all values are positive, with plain numbers where it spans only a decade or two."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if not (values > 0).all():
        return
    axes.set_yscale("log")
    low, high = values.min(), values.max()
    if high / low < 300:
        plain_numbers(axes.yaxis)


def plain_numbers(axis, digits: tuple = (1, 2, 5)) -> None:
    """Label a logarithmic axis with plain numbers, not powers of ten, at `digits` times each power."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
