"""State of JAX in this process."""

from jax._src import xla_bridge


def is_running():
    """Whether JAX has started its threads; private API, as the public functions start them."""
    return xla_bridge.backends_are_initialized()
