"""Forks of processes: they lack the threads of JAX and TensorFlow, and would wait for them for ever."""

import os
import sys

# The first process that was forked while JAX or TensorFlow ran; it and those before it can compute, its children cannot.
_forked = None


def check_process() -> None:
    """Make sure that this process can compute.

    Raises:
        RuntimeError: If it is the fork of a process that had started JAX or TensorFlow.

    Example:
        >>> check_process()
    """
    if _forked not in (None, os.getpid()):
        raise RuntimeError(
            "This process is the fork of one that has computed with JAX or TensorFlow, and would wait for ever for threads that it "
            'lacks. Start processes with multiprocessing.get_context("spawn"), and make or load the force field in each of them.'
        )


def _is_running():
    """Whether JAX or TensorFlow has started its threads; private API of both, as the public functions start them."""
    jax, tensorflow = (sys.modules.get(name) for name in ("jax._src.xla_bridge", "tensorflow.python.eager.context"))
    return bool((jax and jax.backends_are_initialized()) or (tensorflow and tensorflow.context()._initialized))


def _before_fork():
    global _forked
    # In the parent, as locks that other threads hold are never released in the child.
    if _forked is None and _is_running():
        _forked = os.getpid()


# Windows has no forks.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
