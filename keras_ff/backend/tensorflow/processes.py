"""State of TensorFlow in this process."""

from tensorflow.python.eager import context


def is_running():
    """Whether TensorFlow has started its threads; private API, as the public functions start them."""
    return context.context()._initialized
