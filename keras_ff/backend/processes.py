"""Forks of processes: they lack the threads of the backend, and would wait for them for ever."""

import os

# The first process that was forked while its backend ran; it and those before it can compute, its children cannot.
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
            'lacks. Start processes with multiprocessing.get_context("spawn"), and make or load the model in each of them.'
        )


def _before_fork():
    from keras_ff.backend.active import twin  # Deferred, as the backend imports this module.

    global _forked
    # In the parent, as locks that other threads hold are never released in the child.
    if _forked is None and twin.is_running():
        _forked = os.getpid()


# Windows has no forks.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
