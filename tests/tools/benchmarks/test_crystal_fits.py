import pytest


@pytest.mark.slow_on_tensorflow
def test_crystal_fits(paper, rows):
    from keras_ff_tools.benchmarks import crystal_fits

    crystal_fits.fits(paper, [("SW", "elastic")], steps=1)
    assert "printed 22.536002" in rows()[0]
