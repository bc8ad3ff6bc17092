"""Folders of this machine: pictures with the captions and metadata that lie beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from snaplink.errors import PictureError
from snaplink.images import EXTENSIONS

from ..items import MISSING, Item, Stamp
from ..places import File
from .source import Report, Source

__all__ = ["Folder", "Picture", "address"]


def address(path: str | os.PathLike[str]) -> str:
    """A file's one name: its absolute path with slashes, links not followed."""
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  # resolve() follows links


class Picture(Source):
    """A picture file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def items(self, report: Report) -> Iterator[Item]:
        folder, name = os.path.split(self._path)
        stem = Path(name).stem
        beside = {each for each in (f"{stem}.txt", f"{stem}.json") if Path(folder, each).is_file()}
        yield _item(folder, name, beside)


class Folder(Source):
    """A folder with the folders inside it, in the order of names, without hidden ones.

    A text file beside a picture, of the same name, is its caption, and a JSON file its metadata:
    so img2dataset and others write them.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def owns(self, key: str) -> bool:
        return key.startswith(address(self._path).rstrip("/") + "/")

    def items(self, report: Report) -> Iterator[Item]:
        found = False
        for item in _walked(self._path, report):
            found = True
            yield item
        if not found:
            report(PictureError(self._path, "no picture in this folder"))


def _walked(folder: str, report: Report) -> Iterator[Item]:
    def unreadable(error: OSError) -> None:
        report(PictureError(str(error.filename), f"cannot be listed ({error.strerror})"))

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        beside = {name for name in files if name.endswith((".txt", ".json"))}
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS:
                yield _item(parent, name, beside)


def _item(folder: str, name: str, beside: set[str]) -> Item:
    """The item of a file; one that is not there shows when it is read."""
    path = address(Path(folder, name))
    stem = path[: -len(Path(name).suffix) or None]
    short = Path(name).stem
    caption = File(f"{stem}.txt") if f"{short}.txt" in beside else None
    metadata = File(f"{stem}.json") if f"{short}.json" in beside else None
    return Item(path, File(path), _stamp(path, caption, metadata), caption, metadata or {})


def _stamp(path: str, *beside: File | None) -> Stamp:
    """The picture's size, and the latest time of it and what lies beside it."""
    try:
        status = Path(path).stat()
        times = [Path(file.address).stat().st_mtime_ns for file in beside if file]
    except OSError:
        return MISSING
    return Stamp(status.st_size, max([status.st_mtime_ns, *times]))
