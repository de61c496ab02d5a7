"""Several devices on TensorFlow."""

import contextlib

import tensorflow as tf

from .shared import some_of

__all__ = ["data_parallel", "mean_over_replicas", "process", "replicas"]


@contextlib.contextmanager
def data_parallel(devices=None):
    """Models made inside divide their batches among devices; see `keras_ff.training.data_parallel`."""
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = some_of([device.name for device in found], devices)
    with tf.distribute.MirroredStrategy(names).scope():
        yield


def replicas():
    """Among how many devices the structures of a batch are divided: 1 outside of `data_parallel`."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def process():
    """Number of this process, from 0, and of all processes that divide a batch."""
    return 0, 1


def mean_over_replicas(x):
    """Mean of a tensor over the devices that compute parts of a batch; on JAX, `x`: there a batch is one array on all devices."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)
