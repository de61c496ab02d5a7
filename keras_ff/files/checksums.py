"""SHA-256 checksums of files and of bytes."""

import hashlib
import os


def checksum(content: bytes) -> str:
    """SHA-256 checksum of bytes, as 64 hexadecimal digits.

    Args:
        content: The bytes.

    Returns:
        The digits, as the program `sha256sum` prints them.

    Example:
        >>> checksum(b"keras_ff")[:8]
        '7c7691ae'
    """
    return hashlib.sha256(content).hexdigest()


def checksum_of(path: str | os.PathLike) -> str:
    """SHA-256 checksum of the content of a file, as 64 hexadecimal digits; the file may be larger than the memory.

    Args:
        path: Path of the file.

    Returns:
        The digits, as the program `sha256sum` prints them.

    Raises:
        OSError: If the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     checksum_of(file.name) == checksum(b"")
        True
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
