import keras_ff as kff


def test_dynamics(rows):
    from keras_ff_tools.benchmarks import dynamics

    dynamics.loop(cells=1, steps=8, ensembles=dynamics.ENSEMBLES[:1])
    dynamics.gradients([kff.potentials.StillingerWeber], cells=1, steps=4, repeats=1, heating=2)
    loop, gradient = rows()
    assert "NVE" in loop and "all finite" in gradient
