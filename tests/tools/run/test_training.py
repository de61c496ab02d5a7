"""What a training leaves behind."""

import keras
import numpy as np
import pytest

import keras_ff as kff
from keras_ff_tools.run.files import read_log


def weights(path):
    return [keras.ops.convert_to_numpy(weight.value) for weight in kff.load(path).weights]


def test_training_lowers_the_loss(run_folder):
    log = read_log(run_folder / "log.csv")
    assert log["val_loss"][-1] < log["val_loss"][0]


@pytest.mark.slow_on_tensorflow
def test_finished_run_stays_as_it_is(run_folder, keras_ff):
    names = sorted(path.name for path in run_folder.glob("*.keras"))
    before = [weights(run_folder / name) for name in names]
    assert keras_ff("train", "--resume", run_folder).status == 0
    assert sorted(path.name for path in run_folder.glob("*.keras")) == names
    for name, old in zip(names, before):
        for one, other in zip(weights(run_folder / name), old, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len((run_folder / "log.csv").read_text().splitlines()) == 7
