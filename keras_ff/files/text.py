"""Text files in any common encoding, compressed with gzip or not."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import TextIO

# Name of the error handler that takes bytes which are no UTF-8 for ISO-8859-1, as in comments with an umlaut or an Å.
LATIN = "keras_ff.latin-1"
codecs.register_error(LATIN, lambda error: (error.object[error.start : error.end].decode("latin-1"), error.end))


def open_text(path: str | Path) -> TextIO:
    """Text file, opened for reading.

    Byte order marks and UTF-16 are understood, a file of gzip is unpacked, and bytes that are no UTF-8 are read as ISO-8859-1.
    Lines may end in any of the usual ways.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a folder, a pipe or a device.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> _ = path.write_bytes("5.43 Å".encode("latin-1"))
        >>> with open_text(path) as file:
        ...     file.read()
        '5.43 Å'
    """
    path = Path(path)
    check_regular(path)
    raw = open(path, "rb")
    if raw.peek(2)[:2] == b"\x1f\x8b":
        raw.close()
        raw = gzip.open(path, "rb")
    try:
        head = raw.peek(4)[:4]
    except BaseException:
        raw.close()
        raise
    return io.TextIOWrapper(raw, encoding=_encoding(head), errors=LATIN)


def read_text(path: str | Path) -> str:
    """Content of a small text file, see `open_text`.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a folder, a pipe or a device, a compressed file that was cut off, or no text.
    """
    try:
        with open_text(path) as file:
            content = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from error
    if found := re.search(r"[\x00-\x08\x0e-\x1f]", content):
        raise ValueError(f"{path} is no text: it has the control character {found[0]!r}.")
    return content


def check_regular(path: Path) -> None:
    """Raise an error if a path is no regular file, as reading a pipe would never end.

    Args:
        path: The path.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it is a folder, a pipe or a device.
    """
    if path.is_file():
        return
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    raise ValueError(f"{path} is {'a folder' if path.is_dir() else 'a pipe or a device'}. Give a regular file.")


def _encoding(head):
    """Encoding of a text that begins with some bytes."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) == 4 and head[0] and head[1] == 0 == head[3]:
        return "utf-16-le"
    if len(head) == 4 and head[1] and head[0] == 0 == head[2]:
        return "utf-16-be"
    return "utf-8-sig"


def is_number(word: str) -> bool:
    """Whether Python reads a word as a floating-point number.

    Args:
        word: The word.

    Example:
        >>> is_number("-1.5e3"), is_number("Si")
        (True, False)
    """
    try:
        float(word)
    except ValueError:
        return False
    return True
