"""Forms with files (multipart/form-data), in a body that is here as a whole.

A parser of streams looks at every byte of a header in Python, so that a body which is one endless
header stops the server for a minute; to search for the boundary in a whole body does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.parser import HeaderParser
from pathlib import PurePosixPath

from .errors import ApiError

__all__ = ["Field", "fields"]

_HEADERS = 4096
"""Bytes of a part's headers."""


@dataclass(frozen=True)
class Field:
    """One part of a form.

    Attributes:
        name: the field's.
        filename: without folders, for a part that is a file; None for text.
        content: its bytes.
    """

    name: str
    filename: str | None
    content: bytes

    @property
    def text(self) -> str:
        """The content as text.

        Raises:
            ApiError: it is not UTF-8.
        """
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            raise ApiError(400, f"the field {self.name!r} is not UTF-8", self.name) from None


def fields(content_type: str, body: bytes, most: int) -> list[Field]:
    """The parts of a form.

    Args:
        content_type: the request's header, which names the boundary.
        body: the request's.
        most: parts that are accepted.

    Raises:
        ApiError: the body is no such form, or has more parts.

    >>> part = b'Content-Disposition: form-data; name="labels"\\r\\n\\r\\ncat'
    >>> form = b"--X\\r\\n" + part + b"\\r\\n--X--\\r\\n"
    >>> fields("multipart/form-data; boundary=X", form, 10)[0].text
    'cat'
    """
    mark = b"\r\n--" + _boundary(content_type)
    body = b"\r\n" + body  # the first mark has no line's end before it if nothing precedes it
    if body.count(mark) > most + 1:
        raise ApiError(413, f"the form has more than the {most:,} parts that are accepted")
    return list(_parts(body.split(mark)))


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise ApiError(
            400, "the header Content-Type of a form names the boundary of its parts, up to 70 long"
        )
    return boundary.encode()


def _parts(pieces: list[bytes]) -> Iterator[Field]:
    *parts, last = pieces[1:] or [b""]  # before the first mark is what nobody reads
    if not last.startswith(b"--"):
        raise ApiError(400, "the form ends before the last boundary")
    for number, part in enumerate(parts, 1):
        padding, _, rest = part.partition(b"\r\n")
        # Headers end with an empty line; of none at all, it is the only one.
        end = 0 if rest.startswith(b"\r\n") else rest.find(b"\r\n\r\n", 0, _HEADERS + 4)
        if end < 0 or padding.strip():
            raise ApiError(400, f"part {number} of the form has no headers, or endless ones")
        skipped = 2 if end == 0 else 4
        yield _field(rest[:end], rest[end + skipped :], number)


def _field(headers: bytes, content: bytes, number: int) -> Field:
    try:
        disposition = HeaderParser().parsestr(headers.decode("latin-1"))
        name = disposition.get_param("name", header="content-disposition")
        filename = disposition.get_filename()
    except (MessageError, ValueError, LookupError):
        name = filename = None
    if not isinstance(name, str) or not name:
        raise ApiError(
            400, f'part {number} of the form has no Content-Disposition: form-data; name="…"'
        )
    name = _as_utf8(name)
    if filename is not None:
        filename = PurePosixPath(_as_utf8(filename).replace("\\", "/")).name[:200]
    return Field(name, filename, content)


def _as_utf8(name: str) -> str:
    """Browsers send UTF-8 as it is, and some programs in a way that the parser understands."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name
