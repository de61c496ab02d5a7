"""Several devices on TensorFlow."""

import contextlib

import tensorflow as tf

from ..shared import some_of


@contextlib.contextmanager
def data_parallel(devices=None):
    """`tf.distribute.MirroredStrategy`."""
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = some_of([device.name for device in found], devices)
    with tf.distribute.MirroredStrategy(names).scope():
        yield


def replicas():
    """Devices of the strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def process():
    """There is one."""
    return 0, 1


def mean_over_replicas(x):
    """By a reduction over the devices of the strategy."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)
