import numpy as np
import pytest

from keras_ff import plots


def texts(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


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
