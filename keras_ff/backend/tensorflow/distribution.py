"""Distribution over several devices on TensorFlow."""

import contextlib

import tensorflow as tf

from ..shared import some_of


@contextlib.contextmanager
def data_parallel(devices=None):
    """Context of `tf.distribute.MirroredStrategy`."""
    present = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = some_of([device.name for device in present], devices)
    with tf.distribute.MirroredStrategy(names).scope():
        yield


def replicas():
    """Number of devices of the strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def process():
    """Rank and number of processes: a single one."""
    return 0, 1


def mean_over_replicas(x):
    """Mean over the devices of the strategy, by a reduction."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)
