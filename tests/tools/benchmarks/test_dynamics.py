import pytest

import keras_ff as kff


@pytest.mark.slow_on_tensorflow
def test_dynamics(rows):
    from keras_ff_tools.benchmarks import dynamics

    dynamics.loop(cells=1, steps=8, ensembles=dynamics.ENSEMBLES[:1])
    (loop,) = rows()
    assert "NVE" in loop


@pytest.mark.slow
def test_gradients_through_dynamics(rows):
    from keras_ff_tools.benchmarks import dynamics

    dynamics.gradients([kff.potentials.StillingerWeber], cells=1, steps=4, repeats=1, heating=2)
    (gradient,) = rows()
    assert "all finite" in gradient
