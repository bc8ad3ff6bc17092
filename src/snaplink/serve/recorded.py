"""The bytes that a row of a store was made of, as long as they are the same: nothing else."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from snaplink.embed.items import Stamp
from snaplink.embed.places import MAX_BYTES, Cell, File, Place, place_of
from snaplink.embed.sources.files import common_time
from snaplink.embed.sources.tars import Tar
from snaplink.errors import PictureError

from .errors import ApiError

__all__ = ["check_content", "opened", "web_address"]

_ARCHIVES = 8
"""Archives of which the table of contents is remembered."""

Row = Mapping[str, Any]
Read = Callable[[], bytes]


def web_address(row: Row) -> str | None:
    """The http(s) URL of a row's picture, if that is where it is."""
    source = row["source"]
    return source if source and source.lower().startswith(("http://", "https://")) else None


@contextmanager
def opened(row: Row) -> Iterator[Read]:
    """A row's picture on this machine, found to be what the store recorded: yields what reads it.

    A file that was replaced since, by a link to another one say, is not what the store recorded,
    and is not read.

    Raises:
        ApiError: it is not there, is another, or the store does not say what it was.
    """
    if row["source"] is None:
        raise _missing("the store does not say where it is")
    if row["size"] is None or row["mtime_ns"] is None:
        raise _missing("the store does not say how large its file was, and when it was written")
    try:
        with _found(row["source"], Stamp(row["size"], row["mtime_ns"])) as read:
            yield lambda: check_content(row, read())
    except (FileNotFoundError, NotADirectoryError):
        raise _changed("has been deleted or moved") from None
    except (OSError, ValueError, PictureError):
        raise _missing("it cannot be read any more") from None


def check_content(row: Row, content: bytes) -> bytes:
    """The content, if its length and its hash are what the store recorded, as far as it did.

    Raises:
        ApiError: they are others.
    """
    other = row["size"] not in (None, len(content))
    if other or row["sha256"] not in (None, hashlib.sha256(content).hexdigest()):
        raise _changed("has another content now")
    return content


@contextmanager
def _found(source: str, recorded: Stamp) -> Iterator[Read]:
    if source.startswith("tar://"):
        yield _member(source, recorded).read
        return
    place = place_of(source)
    if isinstance(place, Cell):
        _check_local(place.table, "table")
        _check_same(Stamp(recorded.size, Path(place.table).stat().st_mtime_ns), recorded)
        yield place.read
    elif isinstance(place, File):
        with _file(source, recorded) as read:
            yield read
    else:
        raise _missing("it is not on this machine")


@contextmanager
def _file(path: str, recorded: Stamp) -> Iterator[Read]:
    """Its size and time are those of what was opened, not of a name that may change meanwhile."""
    if ".." in Path(path).parts or not Path(path).is_absolute():
        raise _missing("its path leads elsewhere")
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _missing("it is no regular file any more")
        if status.st_size > MAX_BYTES:
            raise _missing("it is too large")
        if status.st_mtime_ns != recorded.mtime_ns:
            _check_same(Stamp(status.st_size, _with_sidecars(path, status.st_mtime_ns)), recorded)
        _check_same(Stamp(status.st_size, recorded.mtime_ns), recorded)
        yield lambda: file.read(status.st_size)


def _with_sidecars(path: str, mtime_ns: int) -> int:
    """The time that is recorded of a picture which has a caption or metadata beside it."""
    beside = [Path(path).with_suffix(ending) for ending in (".txt", ".json")]
    facts = [(each.suffix, each.stat()) for each in beside if each.is_file()]
    return common_time(mtime_ns, [(end, each.st_size, each.st_mtime_ns) for end, each in facts])


def _member(source: str, recorded: Stamp) -> Place:
    archive = source.rpartition("::")[2]
    _check_local(archive, "archive")
    status = Path(archive).stat()
    place, stamp = _contents(archive, status.st_size, status.st_mtime_ns).get(source, (None, None))
    if place is None or stamp is None:
        raise FileNotFoundError(source)
    _check_same(stamp, recorded)
    return place


@lru_cache(_ARCHIVES)
def _contents(archive: str, size: int, mtime_ns: int) -> dict[str, tuple[Place, Stamp]]:
    """Where an archive that has this size and time keeps its pictures, and their stamps."""
    items = Tar(archive).items(lambda error: None)
    return {item.place.address: (item.place, item.stamp) for item in items if item.place}


def _check_local(path: str, what: str) -> None:
    if not (Path(path).is_absolute() and Path(path).is_file()):
        raise _missing(f"its {what} is not on this machine")


def _check_same(stamp: Stamp, recorded: Stamp) -> None:
    if (stamp.size, stamp.mtime_ns) != (recorded.size, recorded.mtime_ns):
        raise _changed("has changed since it was embedded")


def _missing(why: str) -> ApiError:
    return ApiError(404, f"this picture cannot be shown: {why}", "id", "no_picture")


def _changed(what: str) -> ApiError:
    return ApiError(410, f"this picture {what}: run snaplink embed again", "id", "picture_changed")
