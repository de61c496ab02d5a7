"""Distribution over devices; trainings on several are in tests/training/test_parallel.py."""

import keras
import numpy as np
import pytest

from keras_ff.backend import data_parallel, mean_over_replicas, process, replicas


def test_outside_of_data_parallel_there_is_one_device_and_one_process():
    x = keras.ops.convert_to_tensor(np.array([1.0, 2.0], "float32"))
    assert replicas() == 1 and process() == (0, 1)
    assert keras.ops.convert_to_numpy(mean_over_replicas(x)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("devices", [0, 99])
def test_devices_that_are_not_there_are_an_error_that_changes_nothing(devices):
    with pytest.raises(ValueError, match=f"Received devices={devices}, and there are"), data_parallel(devices):
        pass
    assert replicas() == 1 and keras.distribution.distribution() is None
