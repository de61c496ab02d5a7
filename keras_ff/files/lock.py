"""Locks that let one process at a time work in a folder or write a file."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from keras_ff.files.processes import host, is_dead
from keras_ff.files.whole import remove_leftovers, sentence_of_the_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

if os.name == "nt":
    import msvcrt
else:
    import fcntl

# Name of the lock in a folder.
LOCK = "in_use.lock"

# Locks of this process: descriptor and number of holders, by process (a fork has the dict of its parent, not its locks) and path.
_mine = {}
_guard = threading.Lock()


class InUseError(OSError):
    """Error that is raised where another process works."""


@contextlib.contextmanager
def exclusive(folder: str | os.PathLike) -> Iterator[None]:
    """Context in which no other process works in a folder; this process may enter it again.

    The lock is one of the operating system, which ends with the process however it is killed, on the file `in_use.lock` that names
    process and computer. Temporary files that killed processes left behind in the folder are removed.

    Args:
        folder: The folder, which is made if it does not exist.

    Raises:
        InUseError: If another process holds the lock, or a process of another computer has not given it back.
        OSError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, exclusive(folder):
        ...     os.listdir(folder)
        ['in_use.lock']
    """
    folder = Path(folder)
    with _held(folder, folder / LOCK):
        remove_leftovers(folder.rglob(".*.part*"))
        yield


@contextlib.contextmanager
def exclusive_file(path: str | os.PathLike) -> Iterator[None]:
    """Context in which no other process writes a file, as `exclusive`; the lock is `.NAME.lock` beside it.

    Args:
        path: Path of the file.

    Raises:
        InUseError: If another process holds the lock, or a process of another computer has not given it back.
        OSError: If the folder cannot be written.
    """
    path = Path(path)
    with _held(path, path.with_name(f".{path.name}.lock")):
        yield


@contextlib.contextmanager
def _held(path, lock):
    lock = Path(os.path.realpath(lock))
    key = os.getpid(), lock
    with _guard:
        if key not in _mine:
            _mine[key] = [_taken(path, lock), 0]
        _mine[key][1] += 1
    try:
        yield
    finally:
        with _guard:
            _mine[key][1] -= 1
            if not _mine[key][1]:
                _give_back(_mine.pop(key)[0], lock)


def _taken(path, lock):
    """Descriptor of the locked file."""
    with sentence_of_the_disk(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            locked = _try(descriptor)
            holder = _holder(lock)
            if locked is False or (holder and not is_dead(*holder[:2]) and (locked is None or holder[0] != host())):
                os.close(descriptor)
                raise InUseError(_sentence(path, lock, holder, locked is False))
            # Whoever held it may have removed the file since it was opened.
            if lock.exists() and os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                break
            os.close(descriptor)
        now = f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"host": host(), "process": os.getpid(), "since": now}).encode())
    return descriptor


def _try(descriptor):
    """Whether the lock of the system was free; None where the file system has no locks, and its text must do."""
    try:
        if os.name == "nt":
            os.lseek(descriptor, 2**30, os.SEEK_SET)  # Beyond the text, which others may read.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _holder(lock):
    """Computer, process and beginning as the file names them; None if it names none."""
    try:
        text = json.loads(lock.read_text())
        return str(text["host"]), int(text["process"]), str(text["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sentence(path, lock, holder, certain):
    name, process, since = holder or ("an unknown computer", "unknown", "an unknown time")
    who = f"{path} is in use by process {process} on {name} since {since}."
    if certain and name in (host(), "an unknown computer"):
        return f"{who} Wait until it has ended, or name another path."
    return f"{who} If that process has ended without giving it back, remove {lock}; or name another path."


def _give_back(descriptor, lock):
    with contextlib.suppress(OSError):
        if os.name != "nt":
            lock.unlink()  # While it is held, so that nobody takes it in between.
    os.close(descriptor)
    with contextlib.suppress(OSError):
        if os.name == "nt":
            lock.unlink()
