"""Files that are either complete or absent, even if the process dies."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from keras_ff.files.processes import host, is_dead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What the system says where there is no room, and where a folder or file cannot be written.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_DENIED = (errno.EACCES, errno.EPERM)

# Temporary names: .NAME.HOST-PROCESS-RANDOM.part.SUFFIX
_TEMPORARY = re.compile(r"\..*\.(?P<host>[\w-]+)-(?P<process>\d+)-[0-9a-f]{8}\.part(\..*)?")


@contextlib.contextmanager
def replace_when_complete(path: str | os.PathLike) -> Iterator[Path]:
    """Context that yields a temporary path to write to, which is renamed to `path` if the block ends without an error.

    The new file stands in the same folder as `path` and reaches the disk before
    it takes the name, so that a reader, or a process started after a kill or a
    power cut, finds the old file or the new one. If the block raises, `path`
    stays as it was. Folders that do not exist are created. No two writers share
    a temporary name; those that killed processes left behind for the same `path`
    are removed.

    Args:
        path: Path of the file to write; its suffix is kept in the yielded path.

    Yields:
        The temporary path.

    Raises:
        OSError: If the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replace_when_complete(f"{folder}/energies.txt") as temporary:
        ...         _ = temporary.write_text("-8.67")
        ...     Path(f"{folder}/energies.txt").read_text()
        '-8.67'
    """
    path = Path(path)
    with sentence_of_the_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # 100 characters of the name, as names have 255 at most.
        name = f".{path.stem[:100]}."
        remove_leftovers(other for other in path.parent.iterdir() if other.name.startswith(name))
        temporary = path.with_name(f"{name}{host()}-{os.getpid()}-{secrets.token_hex(4)}.part{path.suffix}")
        try:
            temporary.touch()
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


@contextlib.contextmanager
def sentence_of_the_disk(path: str | os.PathLike) -> Iterator[None]:
    """Context in which errors of a full or read-only disk become an OSError that names the file; other errors pass.

    Args:
        path: Path of the file that is written.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    try:
        yield
    except Exception as error:
        reason = _reason(error, Path(path))
        if reason is None:
            raise
        raise OSError(
            f"{path} could not be written: {reason}. What was there before is as it was. Make room, or name a folder that can be "
            "written."
        ) from error


def _reason(error, path):
    """What the disk had against writing; None if an error has another cause, such as a file that cannot be read."""
    while error is not None:
        # HDF5 has its own errors, with the number of the system in the text.
        number = re.search(r"errno = (\d+)", str(error))
        code = int(number[1]) if number else getattr(error, "errno", None)
        name = getattr(error, "filename", None)
        file = Path(os.fsdecode(name)) if isinstance(name, (str, bytes)) else None
        ours = file is not None and (path.is_relative_to(file) or _TEMPORARY.fullmatch(file.name) is not None)
        if (code in _FULL and (ours or file is None)) or (code in _DENIED and ours):
            return os.strerror(code)
        # zipfile complains of an open member where writing it has failed.
        error = error.__cause__ or error.__context__
    return None


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of some files that killed processes of this computer left behind while they wrote.

    Args:
        paths: Any files.
    """
    for path in paths:
        found = _TEMPORARY.fullmatch(path.name)
        if found and is_dead(found["host"], int(found["process"])):
            with contextlib.suppress(OSError):
                path.unlink()


def sync(path: str | os.PathLike) -> None:
    """Wait until the content of a file, or the list of files of a folder, is on the disk.

    Args:
        path: Path of the file or folder.
    """
    if os.name == "nt" and Path(path).is_dir():
        return  # Windows cannot open a folder.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
