import pytest


@pytest.mark.slow
def test_dispersion(paper, rows):
    from keras_ff_tools.benchmarks import dispersion

    dispersion.classical(paper, [("epsilon", "lam")], dispersion.KINDS[1:2], steps=1)
    assert len(rows()) == 2


@pytest.mark.slow
def test_dispersion_of_networks(paper, rows):
    from keras_ff_tools.benchmarks import dispersion

    dispersion.networks(paper, steps=1, training_steps=1, kinds=dispersion.KINDS[1:2])
    assert len(rows()) == 2 + 2 * 2
