import numpy as np
import pytest

from keras_ff import plots


def texts(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_energy_conservation_states_the_drift():
    times = np.arange(0.0, 1000.0, 10.0)
    figure = plots.energy_conservation(times, 64 * 1e-6 * times, 64, temperatures=np.full(100, 300.0))
    assert "drift +1 meV/atom/ps" in texts(figure) and len(figure.axes) == 2
    with pytest.raises(ValueError, match="two or more steps"):
        plots.energy_conservation([0.0], [1.0], 1)


def test_curves_have_the_names_of_what_they_show():
    figure = plots.curves([1.0, 2.0], {"SW": [3.0, 4.0], "network": [0.0, 1.0]}, limits=(0, 5), title="Dimer")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["SW", "network"]
    assert axes.get_ylim() == (0, 5) and axes.get_title() == "Dimer"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [3.0, 4.0])
    with pytest.raises(ValueError, match="'SW' has the shape"):
        plots.curves([1.0, 2.0], {"SW": [3.0]})


def test_filters_have_a_panel_for_each_kind_and_a_line_for_each_filter():
    x = np.linspace(-1, 1, 20)
    figure = plots.filters({"rho": (x + 2, np.ones((20, 3))), "g": (x, np.ones((20, 2)))}, distances=[1.5, 2.5], title="Si")
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [len(axes.lines) for axes in drawn] == [3, 2]
    assert [axes.get_xlabel() for axes in drawn] == ["distance (Å)", "cosine of the angle"]
    assert len(figure.axes) == 3 and figure.get_suptitle() == "Si"


def test_projection_shows_the_groups_in_the_plane_of_largest_spread():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(50, 4)), rng.normal(size=(50, 4)) + 8.0])
    figure = plots.projection(features, ["bulk"] * 50 + ["surface"] * 50)
    (axes,) = figure.axes
    first, second = (points.get_offsets()[:, 0].mean() for points in axes.collections)
    assert abs(first - second) > 3 and [text.get_text() for text in axes.get_legend().get_texts()] == ["bulk", "surface"]
    with pytest.raises(ValueError, match="100 rows of features and 1 groups"):
        plots.projection(features, ["bulk"])
