import pytest


@pytest.mark.slow
def test_spline_networks(mlearn, rows):
    from keras_ff_tools.benchmarks import spline_networks

    spline_networks.single(["Si"], mlearn, steps=1, atoms=8, n_max=1)
    assert len(rows()) == 3


@pytest.mark.slow
def test_shared_filters_of_spline_networks(mlearn, rows):
    from keras_ff_tools.benchmarks import spline_networks

    spline_networks.transfer(["Si", "Ge", "C"], mlearn, steps=1, shared_steps=1)
    assert len(rows()) == 3 + 2 * 2
