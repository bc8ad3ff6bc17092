"""The bytes that a row of a store was made of, as long as they are the same: nothing else."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snaplink.embed.places import MAX_BYTES, Cell, File, place_of
from snaplink.errors import PictureError

from .errors import ApiError

__all__ = ["local_content", "web_address"]


def web_address(row: Mapping[str, Any]) -> str | None:
    """The http(s) URL of a row's picture, if that is where it is."""
    source = row["source"]
    return source if source and source.lower().startswith(("http://", "https://")) else None


def local_content(row: Mapping[str, Any]) -> bytes:
    """The bytes of a row's picture on this machine.

    A file that was replaced since, by a link to another one say, is not what the store recorded,
    and is not read.

    Raises:
        ApiError: it is not there, is another, or the store does not say what it was.
    """
    source = row["source"]
    if source is None:
        raise _missing("the store does not say where it is")
    if row["size"] is None or row["mtime_ns"] is None:
        raise _missing("the store does not say how large its file was, and when it was written")
    try:
        content = _read(source, row)
    except ApiError:
        raise
    except (FileNotFoundError, NotADirectoryError, KeyError):
        raise _changed("has been deleted or moved") from None
    except (OSError, ValueError, PictureError, tarfile.TarError):
        raise _missing("it cannot be read any more") from None
    if row["sha256"] and hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise _changed("has another content now")
    return content


def _read(source: str, row: Mapping[str, Any]) -> bytes:
    if source.startswith("tar://"):
        return _member(source, row)
    place = place_of(source)
    if isinstance(place, Cell):
        return _cell(place, row)
    if not isinstance(place, File):
        raise _missing("it is not on this machine")
    if ".." in Path(source).parts or not Path(source).is_absolute():
        raise _missing("its path leads elsewhere")
    return _file(source, row)


def _file(path: str, row: Mapping[str, Any]) -> bytes:
    """Its size and time are those of what was opened, not of a name that may change meanwhile."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _missing("it is no regular file any more")
        if (status.st_size, status.st_mtime_ns) != (row["size"], row["mtime_ns"]):
            raise _changed("has changed since it was embedded")
        if status.st_size > MAX_BYTES:
            raise _missing("it is too large")
        return file.read(status.st_size)


def _member(source: str, row: Mapping[str, Any]) -> bytes:
    """A member of an archive: the store recorded what the archive says of it."""
    name, _, archive = source.removeprefix("tar://").partition("::")
    if "://" in archive or not _is_regular(archive):
        raise _missing("its archive is not on this machine")
    with tarfile.open(archive, "r:") as tar:
        member = tar.getmember(name)
        if not member.isreg():
            raise _missing("it is no regular file of its archive")
        if (member.size, int(member.mtime * 1_000_000_000)) != (row["size"], row["mtime_ns"]):
            raise _changed("has changed since it was embedded")
        content = tar.extractfile(member)
        return content.read() if content else b""


def _cell(place: Cell, row: Mapping[str, Any]) -> bytes:
    """A cell of a table: the store recorded its size, and the time of the table."""
    if "://" in place.table or not _is_regular(place.table):
        raise _missing("its table is not on this machine")
    if Path(place.table).stat().st_mtime_ns != row["mtime_ns"]:
        raise _changed("has changed since it was embedded")
    content = place.read()
    if len(content) != row["size"]:
        raise _changed("has changed since it was embedded")
    return content


def _is_regular(path: str) -> bool:
    return Path(path).is_absolute() and Path(path).is_file()


def _missing(why: str) -> ApiError:
    return ApiError(404, f"this picture cannot be shown: {why}", "id", "no_picture")


def _changed(what: str) -> ApiError:
    return ApiError(410, f"this picture {what}: run snaplink embed again", "id", "picture_changed")
