from types import SimpleNamespace

import numpy as np

from keras_ff.data import estimate_memory
from keras_ff.data.memory import COMPILATION, SWEEPS

DATA = SimpleNamespace(shapes=[(8, 10, 5), (8, 64, 30)], dtype=np.dtype("float32"))


def test_it_grows_with_the_largest_batch_and_the_features():
    pairs = 8 * 64 * 30
    assert estimate_memory(DATA, features_per_pair=10) - COMPILATION == pairs * (10 * SWEEPS + 4) * 4
    double = SimpleNamespace(shapes=[(16, 64, 30)], dtype=np.dtype("float64"))
    one, four = (estimate_memory(data, features_per_pair=10) - COMPILATION for data in (DATA, double))
    assert four == 4 * one


def test_the_parameters_of_a_model_count():
    model = SimpleNamespace(count_params=lambda: 1000)
    assert estimate_memory(DATA, model) == estimate_memory(DATA) + 16000 > 16000
