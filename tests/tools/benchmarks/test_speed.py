import pytest

import keras_ff as kff
from keras_ff_tools.benchmarks import measure

TINY = {"cutoff": 3.0, "n_max": 1}


@pytest.mark.slow
def test_speed(mlearn, rows):
    from keras_ff_tools.benchmarks import speed

    structures = measure.mlearn(mlearn, "Si", "test")
    speed.training_step("tiny", kff.potentials.StillingerWeber.silicon(), structures, repeats=1)
    speed.scaling(cells=(1,), n_max=1, repeats=1)
    speed.calculator(sizes=(1,), cells=(1,), repeats=1)
    speed.reading(count=2, cells=(1,), repeats=1)
    assert len(rows()) == 5
