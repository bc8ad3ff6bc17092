"""Webdatasets: tar archives in which a picture, its caption and its metadata share a name."""

from __future__ import annotations

import tarfile
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from pathlib import Path, PurePosixPath

from snaplink.errors import PictureError
from snaplink.images import EXTENSIONS

from ..items import Item, Stamp
from ..places import Inline, Member, Place
from ..remote import open_url
from .files import address, common_time
from .source import Report, Source

__all__ = ["RemoteTar", "Tar"]


class _Archive(Source):
    """A tar archive, wherever it is."""

    address: str

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self.address}/")

    def items(self, report: Report) -> Iterator[Item]:
        try:
            with self._opened() as tar:
                for name, members in groupby(_files(tar), key=_sample):
                    # A stream passes but once: what is wanted of it is taken now.
                    parts = {_ending(each): (each, self._place(tar, each)) for each in members}
                    yield self._item(name, parts)
                self._check_end(tar)
        except (OSError, tarfile.TarError) as error:
            # What came before is good; what should come after is not seen.
            problem = getattr(error, "strerror", None) or error
            report(PictureError(self.address, f"cannot be read to its end ({problem})"))

    def _item(self, name: str, parts: dict[str, tuple[tarfile.TarInfo, Place]]) -> Item:
        pictures = [part for ending, part in parts.items() if ending in EXTENSIONS]
        picture, place = pictures[0] if pictures else (None, None)
        member, caption = parts.get(".txt", (None, None))
        return Item(
            key=f"{self.address}/{name}",
            place=place,
            stamp=_stamp(picture or member, [member for member, _ in parts.values()]),
            caption=caption,
            metadata=parts[".json"][1] if ".json" in parts else {},
        )

    def _check_end(self, tar: tarfile.TarFile) -> None:
        """Raise `tarfile.ReadError` if the archive was cut between two members."""

    def _named(self, member: tarfile.TarInfo) -> str:
        return f"tar://{member.name}::{self.address}"

    @abstractmethod
    def _opened(self) -> AbstractContextManager[tarfile.TarFile]: ...

    @abstractmethod
    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Place: ...


class Tar(_Archive):
    """One of this machine: only its table of contents is read here."""

    def __init__(self, path: str) -> None:
        self.address = address(path)

    def _opened(self) -> AbstractContextManager[tarfile.TarFile]:
        return tarfile.open(self.address, "r:")

    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Place:
        return Member(self._named(member), self.address, member.offset_data, member.size)

    def count(self) -> int:
        return sum(1 for _ in self.items(lambda error: None))

    def _check_end(self, tar: tarfile.TarFile) -> None:
        with Path(self.address).open("rb") as file:
            file.seek(tar.offset)  # after the last member
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("its end is cut off")


class RemoteTar(_Archive):
    """One that fsspec reads, once, from its start to its end."""

    def __init__(self, url: str) -> None:
        self.address = url

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        with open_url(self.address) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            yield tar

    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Place:
        content = tar.extractfile(member)
        assert content is not None
        return Inline(self._named(member), content.read())


_WANTED = EXTENSIONS | {".txt", ".json"}


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep all
        hidden = PurePosixPath(member.name).name.startswith(".")
        if member.isfile() and not hidden and _ending(member) in _WANTED:
            yield member


def _sample(member: tarfile.TarInfo) -> str:
    """The name up to the first dot after the last slash, as webdatasets have it."""
    path = PurePosixPath(member.name)
    return str(path.with_name(path.name.partition(".")[0]))


def _ending(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).suffix.lower()


def _stamp(member: tarfile.TarInfo | None, parts: list[tarfile.TarInfo]) -> Stamp:
    """The size of a member, and the latest time of it and of the others of its name."""
    if member is None:
        return Stamp()
    beside = [(_ending(each), each.size, _time(each)) for each in parts if each is not member]
    return Stamp(member.size, common_time(_time(member), beside))


def _time(member: tarfile.TarInfo) -> int:
    return int(member.mtime * 1_000_000_000)
