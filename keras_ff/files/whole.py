"""Files that are either complete or absent, even if the process dies."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replace_when_complete(path: str | os.PathLike) -> Iterator[Path]:
    """Context that yields a temporary path to write to, which is renamed to `path` if the block ends without an error.

    The new file stands in the same folder as `path` and reaches the disk before
    it takes the name, so that a reader, or a process started after a kill or a
    power cut, finds the old file or the new one. If the block raises, `path`
    stays as it was. Folders that do not exist are created.

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
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: a file that a killed process left behind is overwritten.
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


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
