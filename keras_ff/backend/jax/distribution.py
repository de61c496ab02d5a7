"""Distribution over several devices and processes on JAX."""

import contextlib

import jax
import keras

from ..shared import some_of


@contextlib.contextmanager
def data_parallel(devices=None):
    """Context of `keras.distribution.DataParallel`."""
    names = some_of(keras.distribution.list_devices(), devices)
    with keras.distribution.DataParallel(devices=names, auto_shard_dataset=False).scope():
        yield


def replicas():
    """Number of devices of the distribution of Keras."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.shape[0]


def process():
    """Rank and number of the processes of JAX within `data_parallel`."""
    return (0, 1) if replicas() == 1 else (jax.process_index(), jax.process_count())


def mean_over_replicas(x):
    """The same tensor, as a batch is one array on all devices."""
    return x
