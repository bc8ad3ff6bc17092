"""Files of this machine by their one name, and what is known of them without reading."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from ..items import MISSING, Stamp
from ..places import File

__all__ = ["address", "common_time", "found_in", "stamp_of"]


def address(path: str | os.PathLike[str]) -> str:
    """A file's one name: its absolute path with slashes, links not followed."""
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  # resolve() follows links


def found_in(name: str, *folders: str) -> File:
    """A file that a list or table names: in the first of these folders that has it, or the first.

    >>> found_in("/photos/cat.jpg", ".").address.endswith("/photos/cat.jpg")
    True
    """
    paths = [Path(folder, name) for folder in folders if "://" not in folder] or [Path(name)]
    return File(address(next(filter(os.path.lexists, paths), paths[0])))


def stamp_of(file: File, *beside: File | None) -> Stamp:
    """The file's size, and the latest time of it and what lies beside it (see `common_time`)."""
    try:
        status = Path(file.address).stat()
        others = [(each.address, Path(each.address).stat()) for each in beside if each]
    except (OSError, ValueError):  # a NUL in a name
        return MISSING
    facts = [(Path(name).suffix, each.st_size, each.st_mtime_ns) for name, each in others]
    return Stamp(status.st_size, common_time(status.st_mtime_ns, facts))


def common_time(mtime_ns: int, beside: list[tuple[str, int, int]]) -> int:
    """The latest time of a file and what lies beside it: ending, size, time of each.

    Below the millisecond stands a checksum of what lies beside, so that a change to an older
    time, or a caption that was taken away, is noticed, too.

    >>> common_time(1_000_000_005, [])
    1000000005
    >>> alone, both = common_time(10**18, []), common_time(10**18, [(".txt", 5, 7)])
    >>> alone == both, alone // 10**6 == both // 10**6
    (False, True)
    """
    if not beside:
        return mtime_ns
    latest = max(mtime_ns, *(each for _, _, each in beside))
    checksum = zlib.crc32(repr(sorted(beside)).encode()) % 1_000_000
    return latest // 1_000_000 * 1_000_000 + checksum
