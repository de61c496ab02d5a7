"""Figures of properties."""

import numpy as np
import pytest
from ase.build import bulk

from keras_ff import plots

pytestmark = pytest.mark.usefixtures("float64")
RADII = np.linspace(1.5, 6.0, 60)


def test_the_picture_of_distributions():
    figure = plots.radial_distribution(RADII, {"one": RADII, "other": 2 * RADII}, known="other")
    widths = {line.get_label(): line.get_linewidth() for line in figure.axes[0].lines}
    assert widths["other"] > 2 * widths["one"]
    assert len(figure.axes[0].get_legend().get_texts()) == 2 and figure.axes[0].get_ylabel() == "g(r)"


def test_bands_are_not_joined_where_the_path_breaks():
    path = bulk("Mg").cell.bandpath(npoints=60)
    values = np.stack([np.arange(len(path.kpts)), np.arange(len(path.kpts)) + 5.0], axis=1)
    axes = plots.bands(path, {"one": values}).axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["Γ", "M", "K", "Γ", "A", "L", "H", "A|L", "M|K", "H"] and len(set(axes.get_xticks())) == 10
    # Two modes in three pieces, and the line at zero.
    assert sum(len(line.get_xdata()) > 0 for line in axes.lines) == 2 * 3 + 1
    assert [line.get_label() for line in axes.lines].count("one") == 1


def test_a_direction_has_its_value_in_each_plane():
    figure = plots.directional(lambda n: 1.0 + n[:, 0] ** 2 + 2.0 * n[:, 2] ** 2, "a modulus (GPa)")
    ends = {axes.get_title(): axes.lines[0].get_ydata()[[0, 90]].round(9).tolist() for axes in figure.axes}
    assert ends == {"xy": [2.0, 1.0], "xz": [2.0, 3.0], "yz": [1.0, 3.0]}
