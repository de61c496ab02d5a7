"""Files that are either complete or absent, whenever the process dies."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replace_when_complete(path):
    """Yields a path to write to, which becomes `path` when the block ends well.

    The new file stands in the same folder as `path` and reaches the disk before
    it takes the name, so that a reader, or a process started after a kill or a
    power cut, finds the old file or the new one. If the block raises, `path`
    stays as it was. Folders that do not exist are made.

    Args:
        path: The file to write; its suffix is kept in the yielded path.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not a unique name: what a killed process left behind is written over.
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path):
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and Path(path).is_dir():
        return  # Windows cannot open a folder.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
