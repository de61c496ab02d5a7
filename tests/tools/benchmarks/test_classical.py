import pytest


@pytest.mark.slow
def test_classical(rows):
    from keras_ff_tools.benchmarks import classical

    classical.potentials({"StillingerWeber": "sw"}, cells=(1, 1), repeats=1, steps=4)
    assert len(rows()) >= 4
