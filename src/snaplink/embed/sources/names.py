"""What a user types, as sources."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from snaplink.errors import ArgumentError, PictureError, SnaplinkError
from snaplink.images import EXTENSIONS

from ..items import MISSING, Item
from ..places import File, as_text
from ..remote import filesystem, open_any
from .files import found_in
from .folders import Folder, Picture
from .patterns import expanded
from .source import Columns, Report, Source
from .tables import ENDINGS, Table
from .tars import RemoteTar, Tar
from .urls import RemoteFolder, RemotePicture

__all__ = ["List", "opened"]

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def opened(names: Iterable[str | os.PathLike[str]], columns: Columns) -> list[Source]:
    """The sources of these names.

    Raises:
        ArgumentError: there is nothing of such a name, or it is not clear what it is.
        MissingPackageError: what reads it is not installed.
    """
    return [source for name in names for source in _opened(os.fspath(name), columns)]


def _opened(name: str, columns: Columns) -> Iterator[Source]:
    if name == "-":
        yield List(name, columns)
    elif "://" in name:
        yield from _remote(name, columns)
    elif os.path.isdir(name):  # noqa: PTH112  # a Path would not take a NUL in 3.10
        yield Folder(name, columns)
    elif os.path.lexists(name):
        yield _of_file(name, columns)
    else:
        for pattern in expanded(name):
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # may be absolute
            if not matches:
                raise ArgumentError(f"there is no file or folder {pattern!r}")
            yield from opened(matches, columns)


def _of_file(name: str, columns: Columns) -> Source:
    lower = name.lower()
    if lower.endswith(".tar"):
        return Tar(name)
    if lower.endswith(_PACKED):
        raise ArgumentError(f"{name} is compressed: unpack it, or make a plain .tar of it")
    if lower.endswith(ENDINGS):
        return Table(name, columns)
    return List(name, columns) if lower.endswith(".txt") else Picture(name)


def _remote(url: str, columns: Columns) -> Iterator[Source]:
    for one in expanded(url):
        path = one.partition("?")[0].lower()
        if glob.has_magic(path) and not _is_web(one):
            yield from _in_bucket(one, columns)
        elif path.endswith(".tar"):
            yield RemoteTar(one)
        elif path.endswith(ENDINGS):
            yield Table(one, columns)
        elif path.endswith(".txt"):
            yield List(one, columns)
        elif _is_web(one) or PurePosixPath(path).suffix in EXTENSIONS:
            yield RemotePicture(one)
        else:
            yield from _in_bucket(one, columns)


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _in_bucket(url: str, columns: Columns) -> Iterator[Source]:
    files, path = filesystem(url)
    if glob.has_magic(path):
        matches = [files.unstrip_protocol(match) for match in files.glob(path)]
        if not matches:
            raise ArgumentError(f"{url} matches nothing")
        yield from opened(matches, columns)
    elif files.isdir(path):
        yield RemoteFolder(url, columns)
    else:
        yield RemotePicture(url)


class List(Source):
    """A text file that names a source on each line, or standard input."""

    def __init__(self, name: str, columns: Columns) -> None:
        self._name = name
        self._columns = columns
        self._folder = name.rpartition("/")[0] if "://" in name else str(Path(name).parent)

    def count(self) -> int | None:
        """As if every line were a picture."""
        return None if self._name == "-" else sum(1 for _ in self._lines())

    def items(self, report: Report) -> Iterator[Item]:
        named = False
        try:
            for line in self._lines():
                named = True
                yield from self._line(line, report)
        except OSError as error:
            report(PictureError(self._name, f"cannot be read ({error.strerror or error})"))
        else:
            if not named:
                name = "standard input" if self._name == "-" else self._name
                report(PictureError(name, "names no picture"))

    def _lines(self) -> Iterator[str]:
        if self._name == "-":
            yield from filter(None, (line.rstrip("\r\n") for line in sys.stdin))
            return
        with open_any(self._name) as file:
            for line in file:
                if line.strip():
                    yield line.decode("utf-8-sig", errors="surrogateescape").rstrip("\r\n")

    def _line(self, line: str, report: Report) -> Iterator[Item]:
        name = line if "://" in line else found_in(line, ".", self._folder).address
        if "://" not in line and not os.path.lexists(name) and not _is_pattern(line):
            yield Item(as_text(name), File(name), MISSING)
            return
        try:
            sources = opened([name], self._columns)
        except SnaplinkError as error:
            report(PictureError(line, str(error)))
            return
        for source in sources:
            yield from source.items(report)


def _is_pattern(line: str) -> bool:
    return glob.has_magic(line) or next(expanded(line)) != line
