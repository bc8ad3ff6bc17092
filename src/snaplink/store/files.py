"""Files that are whole or not there: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["TEMPORARY", "remove", "sha256_of", "sync_directory", "temporary", "write_whole"]

TEMPORARY = ".tmp"
"""Ends the names of files that are being written."""


class _Hashing:
    """A binary file that takes the SHA-256 of what is written, from its start to its end."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        written = self._file.write(data)
        self.size += written
        return written

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """It is closed by who opened it."""


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> tuple[int, str]:
    """Give `path` the content that `write` writes, or leave it as it was.

    Returns:
        The size in bytes and the SHA-256, in hexadecimal.
    """
    beside = temporary(path)
    remove(beside)  # what a killed writer left, or a link that leads elsewhere
    try:
        with beside.open("xb") as file:
            hashing = _Hashing(file)
            write(cast(BinaryIO, hashing))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)  # noqa: PTH105  # one way of renaming, for the tests to count
    except OSError:
        with suppress(OSError):
            remove(beside)
        raise
    return hashing.size, hashing.sha256.hexdigest()


def temporary(path: Path) -> Path:
    """Where the content of a file waits to be whole."""
    return path.with_name(f".{path.name}{TEMPORARY}")


def sync_directory(directory: Path) -> None:
    """Make renames last through a loss of power, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have none for directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  # likewise


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
