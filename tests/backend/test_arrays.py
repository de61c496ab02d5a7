"""Arguments become arrays of the backend, without loss of precision."""

import importlib

import keras
import numpy as np
import pytest

from keras_ff.backend.active import twin

arrays = importlib.import_module(f"{twin.__name__}.arrays").arrays


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_python_numbers_take_the_default_precision_and_arrays_keep_theirs(float64, default):
    keras.config.set_floatx(default)
    nest = {"number": 0.1, "count": 3, "pair": (np.array([0.1], "float32"), np.array([0.1], "float64"))}
    found = arrays(nest)
    assert set(found) == set(nest) and all(keras.ops.is_tensor(x) for x in (found["number"], found["count"], *found["pair"]))
    dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (found["number"], found["count"], *found["pair"])]
    assert dtypes == [default, "int32", "float32", "float64"]
    assert keras.ops.convert_to_numpy(found["number"]) == np.dtype(default).type(0.1)
