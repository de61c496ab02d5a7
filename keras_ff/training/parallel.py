"""Training on several devices."""

import contextlib

from keras_ff import backend


@contextlib.contextmanager
def data_parallel(devices=None):
    """Context for training on several devices, each of which takes a part of every batch.

    The model is made (or loaded), compiled and trained inside, with the same code as on one device:

        with keras_ff.training.data_parallel(devices=2):
            model = ForceField(NeuralIL(["Si"]))
            data = Dataset(structures, model, batch_size=16)
            model.adapt(data)
            model.compile(...)
            model.fit(data)

    Losses and metrics are those of one device, to rounding: a batch has as many structures as on one, and each device takes an
    equal number of them. On JAX this is `keras.distribution.DataParallel`, on TensorFlow `tf.distribute.MirroredStrategy`, where
    XLA does not compile the step.

    On JAX the devices may be those of several processes. Each runs the same script, which begins with
    `keras.distribution.initialize("host:port", num_processes, process_id)`, and makes its part of the batches only. Files that
    callbacks write need a different name in each process, or only one process that writes them.

    Args:
        devices: Number of devices: GPUs, or CPUs where there are none. By default all devices of all processes.

    Raises:
        ValueError: If there are fewer devices. `fit` and `evaluate` raise it if the batch size is not a multiple of the number of
            devices, or if the model was made outside.
    """
    with backend.data_parallel(devices):
        yield
