"""The folder of this library for what is made once and found again: compiled functions, plugins of LAMMPS."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# Bytes of a folder of compiled functions beyond which its oldest files are removed, down to half of it.
MOST = 2**30

# Value of `KERAS_FF_CACHE` with which compiled functions are not kept.
OFF = "off"


def cache_folder() -> Path:
    """Folder of what is kept between processes: that of the environment variable `KERAS_FF_CACHE`, else `~/.cache/keras_ff`.

    Returns:
        Absolute path; the folder may not exist.

    Example:
        >>> import os
        >>> before, os.environ["KERAS_FF_CACHE"] = os.environ.get("KERAS_FF_CACHE", ""), "/scratch/cache"
        >>> cache_folder().as_posix()
        '/scratch/cache'
        >>> os.environ["KERAS_FF_CACHE"] = before
    """
    named = os.environ.get("KERAS_FF_CACHE")
    if named and named != OFF:
        return Path(named).absolute()
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache").absolute() / "keras_ff"


def keep_small(folder: str | os.PathLike, most: int = MOST) -> None:
    """Remove the oldest files of a folder of a cache if it has grown too large.

    Args:
        folder: The folder. What is in folders within it stays.
        most: Number of bytes up to which nothing is removed; beyond, half of it remains.
    """
    found = []
    # Other processes may remove the same files.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_file():
                    found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
    total = sum(size for _, size, _ in found)
    if total <= most:
        return
    for _, size, path in sorted(found):
        if total <= most // 2:
            return
        with contextlib.suppress(OSError):
            os.remove(path)
            total -= size
