"""Where a picture's bytes are: small and picklable, so that a worker can do the reading."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from snaplink.errors import PictureError

__all__ = [
    "MAX_BYTES",
    "Cell",
    "File",
    "Inline",
    "Member",
    "Place",
    "Remote",
    "as_text",
    "place_of",
]

MAX_BYTES = 1 << 30
"""A larger picture file is refused."""


class Place(ABC):
    """Where bytes are read from, by whoever needs them."""

    address: str

    @abstractmethod
    def read(self) -> bytes:
        """All bytes; raises `PictureError` or `OSError`."""

    @property
    def distant(self) -> bool:
        """Whether reading waits for a network, so that several are worth reading at once."""
        return False


@dataclass(frozen=True)
class File(Place):
    """A file of this machine, by its absolute path."""

    address: str

    def read(self) -> bytes:
        # A FIFO must not be waited for.
        descriptor = os.open(self.address, os.O_RDONLY | _BINARY | _NO_WAITING)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PictureError(self.address, "not a regular file")
            _refuse_large(self.address, status.st_size)
            return file.read()


_BINARY = getattr(os, "O_BINARY", 0)
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Member(Place):
    """A stretch of a file: a member of a tar archive that is not compressed.

    Args:
        address: as fsspec writes it, ``tar://000012.jpg::/data/00000.tar``.
        archive: the path of the archive, or of a copy that was fetched.
        offset: where the member's content starts.
        size: how long it is, in bytes.
    """

    address: str
    archive: str
    offset: int
    size: int

    def read(self) -> bytes:
        _refuse_large(self.address, self.size)
        with Path(self.archive).open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise PictureError(self.address, "the archive ends before this member does")
        return content


@dataclass(frozen=True)
class Inline(Place):
    """Bytes that are already here: a cell of a table."""

    address: str
    content: bytes

    def read(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class Remote(Place):
    """What fsspec opens, by its URL."""

    address: str

    @property
    def distant(self) -> bool:
        return True

    def read(self) -> bytes:
        from .remote import open_url

        with open_url(self.address) as file:
            content: bytes = file.read(MAX_BYTES + 1)
        _refuse_large(self.address, len(content))
        return content


@dataclass(frozen=True)
class Cell(Place):
    """A picture in a Parquet file: the first bytes in this row."""

    address: str
    table: str
    row: int

    def read(self) -> bytes:
        from .cells import read_cell

        return read_cell(self.table, self.row)


def _refuse_large(name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise PictureError(name, f"larger than {MAX_BYTES:,} bytes")


def as_text(path: str) -> str:
    r"""The path for a table: bytes that are no UTF-8 become escapes.

    >>> as_text("caf\udce9.png") == r"caf\xe9.png"
    True
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def place_of(address: str) -> Place:
    """Where the `source` of a row points: a path, a URL, a member of a tar, a cell of a table.

    >>> place_of("/photos/cat.png")
    File(address='/photos/cat.png')
    """
    table, _, row = address.rpartition("#")
    if table.endswith(".parquet") and row.isdecimal():
        return Cell(address, table, int(row))
    return Remote(address) if "://" in address else File(address)
