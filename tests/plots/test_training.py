import numpy as np
import pytest

from keras_ff import plots

HISTORY = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.6, 0.3], "forces_mae": [0.5, 0.3, 0.1], "learning_rate": [1e-3] * 3}


def test_learning_curves_have_a_panel_for_each_error_in_units_of_the_field():
    figure = plots.learning_curves(HISTORY)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "mean absolute error (meV/Å)"]
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [500.0, 300.0, 100.0])


def test_four_learning_curves_stand_in_two_rows():
    figure = plots.learning_curves({**HISTORY, "energy_per_atom_mae": [0.3, 0.2, 0.1], "stress_mae": [0.3, 0.2, 0.1]})
    assert figure.axes[0].get_gridspec().get_geometry() == (2, 2)


def test_learning_curves_leave_out_what_was_not_measured():
    figure = plots.learning_curves({"loss": [1.0, 0.5], "val_loss": [np.nan, 0.4]})
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[1, 2], [2]]
    with pytest.raises(ValueError, match="at least one epoch"):
        plots.learning_curves({"loss": []})


def test_tradeoff_has_a_panel_for_each_cost_and_a_point_for_each_model():
    figure = plots.tradeoff({"small": (10, 1.0, 90.0), "large": (1000, 5.0, 30.0)}, ["parameters", "µs/atom"], title="Si")
    assert [axes.get_xlabel() for axes in figure.axes] == ["parameters", "µs/atom"]
    assert [points.get_offsets().tolist()[0] for points in figure.axes[1].collections] == [[1.0, 90.0], [5.0, 30.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["small", "large"]
    with pytest.raises(ValueError, match="'small' has 1 costs, and there are 2 panels"):
        plots.tradeoff({"small": (10, 90.0)}, ["parameters", "µs/atom"])


def test_learning_by_number_draws_means_and_spreads():
    figure = plots.learning_by_number({"active": ([5, 10], [[1.0, 0.5], [1.2, 0.7]])}, "error")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.1, 0.6])
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([heights.min(), heights.max()], [0.6 - 0.1 * 2**0.5, 1.1 + 0.1 * 2**0.5])
    with pytest.raises(ValueError, match="'active' has 2 sizes"):
        plots.learning_by_number({"active": ([5, 10], [[1.0]])}, "error")
