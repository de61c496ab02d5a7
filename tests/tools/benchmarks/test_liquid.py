import pytest


@pytest.mark.slow
def test_liquid(mlearn, rows, monkeypatch):
    from keras_ff_tools.benchmarks import liquid

    monkeypatch.setattr(liquid, "BLOCKS", 2)
    liquid.derivatives(cells=1, frames=4, every=2, melting=2)
    assert len(rows()) == 2


@pytest.mark.slow
def test_fits_to_a_liquid(mlearn, rows):
    from keras_ff_tools.benchmarks import liquid

    liquid.fits(mlearn, {"both": (30.0, 0.1)}, steps=1, frames=2, judged=40, cells=1, melting=2)
    assert len(rows()) == 1
