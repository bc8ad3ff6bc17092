"""Folders of this machine: pictures with what lies beside them, and archives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from snaplink.errors import ArgumentError, PictureError
from snaplink.images import EXTENSIONS

from ..items import Item
from ..places import File, as_text
from .files import address, stamp_of
from .source import Columns, Report, Source
from .tables import ENDINGS, Table
from .tars import Tar

__all__ = ["Folder", "Picture"]


class Picture(Source):
    """A picture file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def count(self) -> int:
        return 1

    def items(self, report: Report) -> Iterator[Item]:
        folder, name = os.path.split(self._path)
        stem = Path(name).stem
        beside = {each for each in (f"{stem}.txt", f"{stem}.json") if Path(folder, each).is_file()}
        yield _item(folder, name, beside)


class Folder(Source):
    """A folder with the folders inside it, in the order of names, without hidden ones.

    It gives its pictures and its tar archives, or, if there are none of either, its tables. A text
    file beside a picture, of the same name, is its caption, and a JSON file its metadata. So all
    that img2dataset writes is understood.
    """

    def __init__(self, path: str, columns: Columns) -> None:
        self._path = path
        self._columns = columns

    def owns(self, key: str) -> bool:
        return key.startswith(address(self._path).rstrip("/") + "/")

    def count(self) -> int | None:
        pictures, tables = 0, []
        for parent, name, _ in self._files(lambda error: None):
            if Path(name).suffix.lower() in EXTENSIONS:
                pictures += 1
            elif name.endswith(".tar"):
                pictures += Tar(str(Path(parent, name))).count()
            else:
                tables.append(str(Path(parent, name)))
        return pictures or (None if tables else 0)

    def items(self, report: Report) -> Iterator[Item]:
        found = False
        tables: list[str] = []
        for item in self._walked(report, tables):
            found = True
            yield item
        if not found:
            for path in tables:
                yield from _rows(path, self._columns, report)
        if not found and not tables:
            report(PictureError(self._path, "no picture in this folder"))

    def _walked(self, report: Report, tables: list[str]) -> Iterator[Item]:
        """Pictures and what archives hold; tables are noted."""

        def unreadable(error: OSError) -> None:
            report(PictureError(str(error.filename), f"cannot be listed ({error.strerror})"))

        for parent, name, beside in self._files(unreadable):
            if Path(name).suffix.lower() in EXTENSIONS:
                yield _item(parent, name, beside)
            elif name.endswith(".tar"):
                yield from Tar(str(Path(parent, name))).items(report)
            else:
                tables.append(str(Path(parent, name)))

    def _files(self, unreadable: Callable[[OSError], None]) -> Iterator[tuple[str, str, set[str]]]:
        """Folder, name and what may belong to it, of all that may hold pictures."""
        for parent, folders, files in os.walk(self._path, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            beside = {name for name in files if name.endswith((".txt", ".json"))}
            for name in sorted(files):
                known = Path(name).suffix.lower() in EXTENSIONS or name.endswith((".tar", *ENDINGS))
                if known and not name.startswith("."):
                    yield parent, name, beside


def _rows(path: str, columns: Columns, report: Report) -> Iterator[Item]:
    try:
        yield from Table(path, columns).items(report)
    except ArgumentError as error:
        report(PictureError(path, str(error).removeprefix(f"{path} ")))


def _item(folder: str, name: str, beside: set[str]) -> Item:
    """The item of a file; one that is not there shows when it is read."""
    file = File(address(Path(folder, name)))
    stem = file.address[: -len(Path(name).suffix) or None]
    short = Path(name).stem
    caption = File(f"{stem}.txt") if f"{short}.txt" in beside else None
    metadata = File(f"{stem}.json") if f"{short}.json" in beside else None
    stamp = stamp_of(file, caption, metadata)
    return Item(as_text(file.address), file, stamp, caption, metadata or {})
