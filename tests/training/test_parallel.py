import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from parallel_run import train

import keras_ff
from keras_ff import backend
from keras_ff.training import data_parallel

SCRIPT = Path(__file__).with_name("parallel_run.py")


def start(*arguments, flags=""):
    package = Path(keras_ff.__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}",
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def result(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def one_device():
    return train()


def check_same(log, expected):
    assert log.keys() == expected.keys()
    for name in log:
        np.testing.assert_allclose(log[name], expected[name], rtol=1e-5, err_msg=name)
    assert not np.allclose(expected["loss"], expected["loss"][0], rtol=1e-3)


def test_two_devices_train_as_one_does(one_device):
    found = result(start(flags="--xla_force_host_platform_device_count=2"))
    check_same(found["log"], one_device)
    of_batch, of_model = found["errors"]
    assert "2 devices do not divide batches of 3 structures" in of_batch and "such as 4" in of_batch
    assert "made for 1 device" in of_model


@pytest.mark.skipif(backend.backend_name() == "tensorflow", reason="Several processes train together on JAX only.")
@pytest.mark.slow
def test_two_processes_train_as_one_does(one_device):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    for process in [start(port, number) for number in range(2)]:
        check_same(result(process)["log"], one_device)


def test_more_devices_than_there_are_are_an_error():
    with pytest.raises(ValueError, match="Received devices=99, and there are 1"), data_parallel(devices=99):
        pass
