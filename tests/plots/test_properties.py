"""Figures of properties."""

import numpy as np
import pytest

from keras_ff import plots

pytestmark = pytest.mark.usefixtures("float64")
RADII = np.linspace(1.5, 6.0, 60)


def test_the_picture_of_distributions():
    figure = plots.radial_distribution(RADII, {"one": RADII, "other": 2 * RADII}, known="other")
    widths = {line.get_label(): line.get_linewidth() for line in figure.axes[0].lines}
    assert widths["other"] > 2 * widths["one"]
    assert len(figure.axes[0].get_legend().get_texts()) == 2 and figure.axes[0].get_ylabel() == "g(r)"
