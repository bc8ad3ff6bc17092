"""A store's pictures, small and re-encoded, as long as they are what was embedded."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from snaplink import images
from snaplink.errors import PictureError
from snaplink.thumbnails import on_white

from . import urls
from .errors import ApiError
from .recorded import local_content, web_address

__all__ = ["Pictures", "encoded"]

_CACHE = 64 << 20
_LARGE = 512
"""Pictures up to this side are WebP, which is smaller; larger ones JPEG, which is faster."""


class Pictures:
    """Makes small copies, and keeps the latest.

    Args:
        fetch_urls: fetch those that are elsewhere.
        limit: bytes of one that is fetched.
    """

    def __init__(self, *, fetch_urls: bool, limit: int) -> None:
        self._fetch_urls = fetch_urls
        self._limit = limit
        self._threads = ThreadPoolExecutor(
            min(4, os.cpu_count() or 1), thread_name_prefix="thumbnails"
        )
        self._cache = _Cache(_CACHE)

    def close(self) -> None:
        """Start no other."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def within(
        self, row: Mapping[str, Any], side: int, *, upright: bool
    ) -> tuple[bytes, str]:
        """The picture of a row within a square, and its media type.

        Raises:
            ApiError: it is not there, or not what was embedded.
        """
        content = None
        if address := web_address(row):
            if not self._fetch_urls:
                raise ApiError(
                    404,
                    "this picture is on another server, and this one fetches none: start it with "
                    "--fetch-urls",
                    code="urls_not_fetched",
                )
            if kept := self._cache.get(_name(row, side)):
                return kept, _media_type(side)
            content = await self._fetched(address)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._made, row, side, content, upright)
        return await work, _media_type(side)

    async def _fetched(self, address: str) -> bytes:
        try:
            return await urls.fetch(address, limit=self._limit, name="the picture")
        except PictureError as error:
            raise ApiError(404, str(error), code="picture_unreachable") from None

    def _made(
        self, row: Mapping[str, Any], side: int, content: bytes | None, upright: bool
    ) -> bytes:
        content = content if content is not None else local_content(row)
        name = _name(row, side)
        if kept := self._cache.get(name):
            return kept
        try:
            picture = images.decode(content, name="the picture", upright=upright, reduced=2 * side)
            made = encoded(picture, side)
        except PictureError as error:
            raise ApiError(410, str(error), code="picture_unreadable") from None
        self._cache.put(name, made)
        return made


def encoded(picture: Image.Image, side: int) -> bytes:
    """The picture within a square, as WebP or JPEG without metadata but a small colour profile."""
    profile = picture.info.get("icc_profile") if picture.mode == "RGB" else None
    small = on_white(picture)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.info.clear()
    colours = {"icc_profile": profile} if profile and len(profile) <= 4096 else {}
    file = io.BytesIO()
    if side <= _LARGE:
        small.save(file, "WEBP", quality=85, method=2, **colours)
    else:
        small.save(file, "JPEG", quality=88, **colours)
    return file.getvalue()


def _media_type(side: int) -> str:
    return "image/webp" if side <= _LARGE else "image/jpeg"


def _name(row: Mapping[str, Any], side: int) -> tuple[object, ...]:
    return row["key"], row["source"], row["size"], row["mtime_ns"], side


class _Cache:
    """What was made lately, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: tuple[object, ...]) -> bytes | None:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def put(self, name: tuple[object, ...], content: bytes) -> None:
        with self._lock:
            self._size += len(content) - len(self._kept.pop(name, b""))
            self._kept[name] = content
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
