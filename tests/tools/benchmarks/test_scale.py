import pytest


@pytest.mark.slow
def test_scale(mlearn, rows):
    from keras_ff_tools.benchmarks import scale

    scale.streaming(count=24, n_max=1, batches=2, max_shapes=1)
    assert len(rows()) == 3


@pytest.mark.slow
def test_fine_tuning(mlearn, rows):
    from keras_ff_tools.benchmarks import scale

    scale.fine_tuning(mlearn, n_max=1, counts=(2,), seeds=(0,), first_steps=1, steps=1)
    assert len(rows()) == 6
