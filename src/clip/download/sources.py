"""Where a file may come from: the mirrors, in order, and then its own address."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from .body import Body, Interrupted, Unusable
from .redact import redact

__all__ = ["Source", "sources_of"]

_PIECE = 1 << 20


@dataclass(frozen=True)
class Source:
    """One address to try, and the way to read from it.

    Attributes:
        address: as given; it may carry a credential, so show `str(source)` instead.
        is_local: True if reading it needs no network.
        open: ``open(offset, validator)`` gives the bytes from `offset` on, or all of them where
            that is not possible; raises `Unusable` or `Interrupted`.
    """

    address: str = field(repr=False)
    is_local: bool
    open: Callable[[int, str | None], AbstractContextManager[Body]] = field(repr=False)

    def __str__(self) -> str:
        return redact(self.address)


def sources_of(
    url: str, sha256: str, file: str, mirrors: Sequence[str], timeout: float
) -> list[Source]:
    """Every place to try, best first: the mirrors given, those of `CLIP_MIRROR`, the address.

    Args:
        url: the file's own address.
        sha256, file: a mirror has the file as ``<sha256>/<file>`` or as ``<file>``.
        mirrors: base URLs, directories or fsspec URLs.
        timeout: seconds without a byte after which a server is given up.
    """
    named = [part.strip() for part in os.environ.get("CLIP_MIRROR", "").split(",")]
    bases = [*mirrors, *(part for part in named if part)]
    places = [_below(base, f"{sha256}/{file}") for base in bases]
    alternatives = [_below(base, file) for base in bases]
    paired = [place for pair in zip(places, alternatives, strict=True) for place in pair]
    return [_source(address, timeout) for address in [*paired, url]]


def _below(base: str, name: str) -> str:
    if "://" not in base:
        return str(Path(base).expanduser() / name)
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def _source(address: str, timeout: float) -> Source:
    if address.startswith(("http://", "https://")):

        def from_web(offset: int, validator: str | None) -> AbstractContextManager[Body]:
            from .web import read_web

            return read_web(address, offset, validator, timeout)

        return Source(address, False, from_web)
    if "://" in address:
        is_local = address.startswith("file://")
        return Source(
            address, is_local, lambda offset, _: _read_file(_open_fsspec, address, offset)
        )
    return Source(address, True, lambda offset, _: _read_file(_open_local, address, offset))


@contextmanager
def _read_file(
    opener: Callable[[str], tuple[BinaryIO, int | None]], address: str, offset: int
) -> Iterator[Body]:
    reason = ""
    try:
        file, total = opener(address)
        file.seek(offset)
    except FileNotFoundError:
        reason = "does not have the file"
    # fsspec's file systems raise whatever their own libraries do.
    except Exception as error:
        reason = redact(f"cannot be read ({type(error).__name__}: {error})", address)
    if reason:
        raise Unusable(reason)
    with file:
        yield Body(offset, total, None, _pieces(file, address))


def _pieces(file: BinaryIO, address: str) -> Iterator[bytes]:
    while True:
        reason = ""
        try:
            piece = file.read(_PIECE)
        except Exception as error:
            reason = redact(f"breaks off ({type(error).__name__}: {error})", address)
        if reason:
            raise Interrupted(reason)
        if not piece:
            return
        yield piece


def _open_local(address: str) -> tuple[BinaryIO, int | None]:
    path = Path(address)
    if not path.is_file():
        raise FileNotFoundError(address)
    return path.open("rb"), path.stat().st_size


def _open_fsspec(address: str) -> tuple[BinaryIO, int | None]:
    try:
        import fsspec
    except ModuleNotFoundError:
        raise OSError("`pip install fsspec` to use this mirror") from None
    system, path = fsspec.url_to_fs(address)
    info: dict[str, Any] = system.info(path)
    return system.open(path, "rb"), info.get("size")
