"""What a user types, as sources."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator

from snaplink.errors import ArgumentError

from .folders import Folder, Picture
from .source import Columns, Source

__all__ = ["Source", "opened"]


def opened(names: Iterable[str | os.PathLike[str]], columns: Columns) -> list[Source]:
    """The sources of these names.

    Raises:
        ArgumentError: there is nothing of such a name.
    """
    return [source for name in names for source in _opened(os.fspath(name), columns)]


def _opened(name: str, columns: Columns) -> Iterator[Source]:
    if os.path.isdir(name):  # noqa: PTH112  # a Path would not take a NUL in 3.10
        yield Folder(name)
    elif os.path.lexists(name):
        yield Picture(name)
    else:
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  # may be absolute
        if not matches:
            raise ArgumentError(f"there is no file or folder {name!r}")
        yield from opened(matches, columns)
