"""Several devices, and several processes, on JAX."""

import contextlib

import jax
import keras

from .shared import some_of

__all__ = ["data_parallel", "mean_over_replicas", "process", "replicas"]


@contextlib.contextmanager
def data_parallel(devices=None):
    """Models made inside divide their batches among devices; see `keras_ff.training.data_parallel`."""
    names = some_of(keras.distribution.list_devices(), devices)
    with keras.distribution.DataParallel(devices=names, auto_shard_dataset=False).scope():
        yield


def replicas():
    """Among how many devices the structures of a batch are divided: 1 outside of `data_parallel`."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.shape[0]


def process():
    """Number of this process, from 0, and of all processes that divide a batch."""
    return (0, 1) if replicas() == 1 else (jax.process_index(), jax.process_count())


def mean_over_replicas(x):
    """Mean of a tensor over the devices that compute parts of a batch; on JAX, `x`: there a batch is one array on all devices."""
    return x
