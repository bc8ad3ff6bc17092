"""Pictures and folders that fsspec reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from snaplink.errors import PictureError
from snaplink.images import EXTENSIONS

from ..items import Item, Stamp
from ..places import Remote
from ..remote import filesystem
from .source import Columns, Report, Source
from .tables import ENDINGS, Table
from .tars import RemoteTar

__all__ = ["RemoteFolder", "RemotePicture"]


class RemotePicture(Source):
    """A picture by its URL. Once embedded, it is taken to be as it was."""

    def __init__(self, url: str) -> None:
        self._url = url

    def count(self) -> int:
        return 1

    def items(self, report: Report) -> Iterator[Item]:
        yield Item(self._url, Remote(self._url))


class RemoteFolder(Source):
    """A folder of a bucket or the like, with the folders inside it; as `Folder` in the rest."""

    def __init__(self, url: str, columns: Columns) -> None:
        self._url = url.rstrip("/")
        self._columns = columns

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self._url}/")

    def items(self, report: Report) -> Iterator[Item]:
        found = False
        tables: list[str] = []
        try:
            for item in self._walked(report, tables):
                found = True
                yield item
            for url in () if found else tables:
                yield from Table(url, self._columns).items(report)
        except Exception as error:  # of whatever client reads such URLs
            report(PictureError(self._url, f"cannot be listed ({error or type(error).__name__})"))
        else:
            if not found and not tables:
                report(PictureError(self._url, "no picture in this folder"))

    def _walked(self, report: Report, tables: list[str]) -> Iterator[Item]:
        files, root = filesystem(self._url)
        for _, folders, found in files.walk(root, detail=True, on_error="raise"):
            _keep_sorted(folders)
            beside = {details["name"] for details in found.values()}
            for name, details in sorted(found.items()):
                url = files.unstrip_protocol(details["name"])
                if PurePosixPath(name).suffix.lower() in EXTENSIONS:
                    yield _item(files, details, beside)
                elif name.endswith(".tar"):
                    yield from RemoteTar(url).items(report)
                elif name.endswith(ENDINGS):
                    tables.append(url)


def _keep_sorted(folders: dict[str, Any]) -> None:
    """In place: so `walk` learns in which order to go on."""
    kept = sorted(item for item in folders.items() if not item[0].startswith("."))
    folders.clear()
    folders.update(kept)


def _item(files: Any, details: Mapping[str, Any], beside: set[str]) -> Item:
    path = details["name"]
    url = files.unstrip_protocol(path)
    suffix = len(PurePosixPath(path).suffix)
    caption, metadata = (
        Remote(f"{url[:-suffix]}{end}") if f"{path[:-suffix]}{end}" in beside else None
        for end in (".txt", ".json")
    )
    return Item(url, Remote(url), _stamp(details), caption, metadata or {})


def _stamp(details: Mapping[str, Any]) -> Stamp:
    """File systems name the time of the last change in many ways."""
    names = ("mtime", "LastModified", "last_modified", "updated", "created")
    time = next((details[name] for name in names if details.get(name)), None)
    if isinstance(time, str):
        time = datetime.fromisoformat(time.replace("Z", "+00:00"))
    seconds = time.timestamp() if isinstance(time, datetime) else time
    return Stamp(details.get("size"), None if seconds is None else int(seconds * 1e9))
