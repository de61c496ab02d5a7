"""Processes of this and other computers: who writes into a folder, and whether it still runs."""

import os
import platform
import re


def host() -> str:
    """Name of this computer, of letters, digits and hyphens, so that it can be part of the name of a file."""
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40] or "unknown"


def is_dead(name: str, process: int) -> bool:
    """Whether a process has certainly ended; False for a process of another computer.

    Args:
        name: Name of its computer, as `host` returns it.
        process: Its number.

    Example:
        >>> is_dead(host(), os.getpid())
        False
    """
    # On Windows signal 0 would end the process.
    if name != host() or os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
