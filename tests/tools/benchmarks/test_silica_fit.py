import pytest


# tests/fitting/test_fit.py has its structures, parameters and losses.
@pytest.mark.slow
def test_silica_fit(rows):
    from keras_ff_tools.benchmarks import silica_fit

    silica_fit.kept(steps=1)
    assert "158.618" in rows()[1]


@pytest.mark.slow
def test_silica_fit_to_relaxed_quartz(rows):
    from keras_ff_tools.benchmarks import silica_fit

    silica_fit.relaxed(steps=1)
    assert len(rows()) == 3
