"""Files of this machine by their one name, and what is known of them without reading."""

from __future__ import annotations

import os
from pathlib import Path

from ..items import MISSING, Stamp
from ..places import File

__all__ = ["address", "found_in", "stamp_of"]


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
    """The file's size, and the latest time of it and what lies beside it."""
    try:
        status = Path(file.address).stat()
        times = [Path(each.address).stat().st_mtime_ns for each in beside if each]
    except (OSError, ValueError):  # a NUL in a name
        return MISSING
    return Stamp(status.st_size, max([status.st_mtime_ns, *times]))
