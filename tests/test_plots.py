import subprocess
import sys

import numpy as np
import pytest

from keras_ff import plots

HISTORY = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.6, 0.3], "forces_mae": [0.5, 0.3, 0.1], "learning_rate": [1e-3] * 3}


def texts(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_learning_curves_have_a_panel_for_each_error_in_units_of_the_field():
    figure = plots.learning_curves(HISTORY)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "mean absolute error (meV/Å)"]
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [500.0, 300.0, 100.0])


def test_learning_curves_leave_out_what_was_not_measured():
    figure = plots.learning_curves({"loss": [1.0, 0.5], "val_loss": [np.nan, 0.4]})
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[1, 2], [2]]
    with pytest.raises(ValueError, match="at least one epoch"):
        plots.learning_curves({"loss": []})


@pytest.mark.parametrize("count", [10, 5000])
def test_parity_states_the_errors(count):
    reference = np.linspace(0.0, 1.0, count)
    sign = np.where(np.arange(count) % 2, 1.0, -1.0)
    figure = plots.parity(reference, reference + 0.002 * sign, "energy", "eV/atom", "meV/atom", 1e3)
    assert "MAE 2 meV/atom" in texts(figure) and "RMSE 2 meV/atom" in texts(figure)
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()


def test_missing_values_are_left_out():
    assert "2 values" in texts(plots.parity([1.0, np.nan, 3.0], [1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="No value"):
        plots.parity([np.nan], [1.0])
    with pytest.raises(ValueError, match="same shape"):
        plots.error_histogram([1.0], [1.0, 2.0])


def test_histogram_counts_all_values():
    figure = plots.error_histogram(np.zeros(100), np.random.default_rng(0).normal(size=100))
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 100


def test_energy_conservation_states_the_drift():
    times = np.arange(0.0, 1000.0, 10.0)
    figure = plots.energy_conservation(times, 64 * 1e-6 * times, 64, temperatures=np.full(100, 300.0))
    assert "drift +1 meV/atom/ps" in texts(figure) and len(figure.axes) == 2
    with pytest.raises(ValueError, match="two or more steps"):
        plots.energy_conservation([0.0], [1.0], 1)


def test_notebooks_can_show_a_figure():
    assert plots.learning_curves(HISTORY)._repr_png_().startswith(b"\x89PNG")


def test_error_names_the_extra_where_matplotlib_is_missing():
    program = (
        "import sys\nsys.modules['matplotlib'] = None\nfrom keras_ff import plots\n"
        "try:\n    plots.learning_curves({'loss': [1.0]})\n"
        "except ImportError as error:\n    assert 'keras_ff[plot]' in str(error)\n"
        "else:\n    sys.exit(1)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


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


def test_tradeoff_has_a_panel_for_each_cost_and_a_point_for_each_model():
    figure = plots.tradeoff({"small": (10, 1.0, 90.0), "large": (1000, 5.0, 30.0)}, ["parameters", "µs/atom"], title="Si")
    assert [axes.get_xlabel() for axes in figure.axes] == ["parameters", "µs/atom"]
    assert [points.get_offsets().tolist()[0] for points in figure.axes[1].collections] == [[1.0, 90.0], [5.0, 30.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["small", "large"]
    with pytest.raises(ValueError, match="'small' has 1 costs, and there are 2 panels"):
        plots.tradeoff({"small": (10, 90.0)}, ["parameters", "µs/atom"])


def test_a_reliability_diagram_has_its_points_and_the_diagonal():
    figure = plots.reliability_diagram({"before": ([0.1, 0.2], [0.2, 0.4]), "after": ([0.2, 0.4], [0.2, 0.4])})
    assert len(figure.axes[0].lines) == 3 and figure.axes[0].get_ylabel() == "true error (eV/Å)"
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[0.1, 0.2], [0.2, 0.4]])


def test_learning_by_number_draws_means_and_spreads():
    figure = plots.learning_by_number({"active": ([5, 10], [[1.0, 0.5], [1.2, 0.7]])}, "error")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.1, 0.6])
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([heights.min(), heights.max()], [0.6 - 0.1 * 2**0.5, 1.1 + 0.1 * 2**0.5])
    with pytest.raises(ValueError, match="'active' has 2 sizes"):
        plots.learning_by_number({"active": ([5, 10], [[1.0]])}, "error")


def test_roc_has_the_area_of_all_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=40), rng.normal(1.0, size=30)
    figure = plots.roc(inside, {"hot": outside, "apart": [9.0, 8.0]})
    pairs = np.mean(outside[:, None] > inside)
    assert figure.axes[0].lines[0].get_label() == f"hot: {pairs:.3f}"
    assert figure.axes[0].lines[1].get_label() == "apart: 1.000"
    with pytest.raises(ValueError, match="0 of 'none'"):
        plots.roc(inside, {"none": []})


def test_a_watched_simulation_may_end_early():
    figure = plots.grades_over_time([0.0, 10.0, 20.0], {"hot": [0.5, 2.0], "cool": [0.5, 0.6, 0.5]})
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [2, 3]
