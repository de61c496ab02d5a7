import numpy as np
import pytest

from keras_ff import plots


def test_a_reliability_diagram_has_its_points_and_the_diagonal():
    figure = plots.reliability_diagram({"before": ([0.1, 0.2], [0.2, 0.4]), "after": ([0.2, 0.4], [0.2, 0.4])})
    assert len(figure.axes[0].lines) == 3 and figure.axes[0].get_ylabel() == "true error (eV/Å)"
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[0.1, 0.2], [0.2, 0.4]])


def test_roc_has_the_area_of_all_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=40), rng.normal(1.0, size=30)
    figure = plots.roc(inside, {"hot": outside, "apart": [9.0, 8.0]}, sets=("cool structures", "others"))
    pairs = np.mean(outside[:, None] > inside)
    assert figure.axes[0].lines[0].get_label() == f"hot: {pairs:.3f}"
    assert figure.axes[0].lines[1].get_label() == "apart: 1.000"
    labels = (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel())
    assert labels == ("fraction of cool structures\nabove the threshold", "fraction of others\nabove it")
    each = plots.roc({"hot": inside, "apart": inside}, {"hot": outside, "apart": [9.0, 8.0]})
    assert [line.get_label() for line in each.axes[0].lines[:2]] == [line.get_label() for line in figure.axes[0].lines[:2]]
    with pytest.raises(ValueError, match="0 of 'none'"):
        plots.roc(inside, {"none": []})


def test_a_watched_simulation_may_end_early():
    figure = plots.grades_over_time([0.0, 10.0, 20.0], {"hot": [0.5, 2.0], "cool": [0.5, 0.6, 0.5]})
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [2, 3]


def test_errors_by_grade_have_the_means_of_groups():
    grades = np.geomspace(0.1, 2.0, 40)
    means = plots.errors_by_grade(grades, 0.1 * grades).axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(means[:, 1], [100 * grades[:20].mean(), 100 * grades[20:].mean()])
