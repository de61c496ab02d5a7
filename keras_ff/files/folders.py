"""Temporary folders that do not gather if processes die."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from keras_ff.files.processes import host, is_dead

if TYPE_CHECKING:
    from collections.abc import Iterator

# Age in s from which the folder of a process on another machine is taken for that of a dead one.
OLD = 86_400.0


@contextlib.contextmanager
def folder_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Context that yields a new empty folder in which to prepare a file or a folder; it is removed at the end.

    It lies beside `path`, so that what is ready can take that name by `os.rename`. Folders that killed processes have left there
    are removed.

    Args:
        path: Path of the file or folder to prepare. The folder that it will be in is made if it does not exist.

    Yields:
        Path of the temporary folder.

    Raises:
        OSError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with folder_beside(f"{folder}/results") as temporary:
        ...         (temporary / "new").mkdir()
        ...         _ = (temporary / "new").rename(f"{folder}/results")
        ...     [path.name for path in Path(folder).iterdir()]
        ['results']
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*.*.*.part"):
        if _is_left_behind(left):
            shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.{host()}.{os.getpid()}.", suffix=".part"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_left_behind(folder):
    """Whether the process that made a temporary folder is dead."""
    *_, machine, process, _, _ = folder.name.split(".")
    if machine == host() and process.isdecimal():
        return is_dead(machine, int(process))
    with contextlib.suppress(OSError):
        return time.time() - folder.stat().st_mtime > OLD
    return False
