"""A training that kills itself: python killed_run.py FOLDER [POINT].

POINT is where SIGKILL strikes, such as "batch 7" (the seventh training batch),
"replace 5" (before the fifth file takes its name) or "written 5" (before the
fifth file is complete on the disk).
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from toy_training import ToyData, compiled

from keras_ff.files import whole
from keras_ff.models.epochs import SetEpoch
from keras_ff.training import BestModel, CSVLog, EvaluateAverage, RunState, StopOnNaN, TensorBoardLog

EPOCHS = 7


class Noise(keras.callbacks.Callback):
    """Logs random numbers, which a resumed run must continue."""

    def on_epoch_end(self, epoch, logs=None):
        logs["noise"] = random.random() + np.random.rand()


class KillAtBatch(keras.callbacks.Callback):
    def __init__(self, count):
        super().__init__()
        self.count = count

    def on_train_batch_end(self, batch, logs=None):
        self.count -= 1
        if self.count == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_at(point, count):
    """Replace a function of the module `files.whole` by one that kills at its `count`-th call."""
    left = [count]

    def deadly(function):
        def wrapped(*args):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args)

        return wrapped

    if point == "replace":
        whole.os.replace = deadly(os.replace)
    else:
        whole.os.fsync = deadly(os.fsync)


def main(folder, point=None):
    keras.utils.set_random_seed(11)
    data, validation = ToyData(batches=4), ToyData(batches=2, seed=5, shuffle=False)
    callbacks = [
        SetEpoch(data),
        EvaluateAverage(),
        StopOnNaN(),
        Noise(),
        keras.callbacks.EarlyStopping(monitor="val_forces_mae", mode="min", patience=100),
        BestModel(folder / "best.keras"),
        CSVLog(folder / "log.csv"),
        TensorBoardLog(folder / "tensorboard"),
    ]
    if point:
        name, count = point.split()
        if name == "batch":
            callbacks.insert(0, KillAtBatch(int(count)))
        else:
            kill_at(name, int(count))
    model = compiled(steps=EPOCHS * len(data))
    print("begin", flush=True)
    history = model.fit(
        data, validation_data=validation, epochs=EPOCHS, verbose=0, shuffle=False,
        callbacks=[*callbacks, RunState(folder / "state", callbacks)],
    )  # fmt: skip
    result = {
        "history": history.history,
        "epochs": history.epoch,
        "variables": [np.asarray(keras.ops.convert_to_tensor(v)).tobytes().hex() for v in model.variables],
        "optimizer": [np.asarray(keras.ops.convert_to_tensor(v)).tobytes().hex() for v in model.optimizer.variables],
    }
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
