"""A store's pictures, small and re-encoded, as long as they are what was embedded."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from snaplink import images
from snaplink.errors import PictureError
from snaplink.thumbnails import on_white

from . import urls
from .errors import ApiError, Overloaded
from .kept import Kept
from .recorded import check_content, opened, web_address
from .uploads import check_picture

__all__ = ["Pictures", "encoded"]

_ROOM = 64 << 20
_WAITING = 256
_LARGE = 512
"""Pictures up to this side are WebP, which is smaller; larger ones JPEG, which is faster."""


class Pictures:
    """Makes small copies, and keeps the latest.

    Args:
        fetch_urls: fetch those that are elsewhere.
        limit: bytes of one that is fetched.
        max_pixels: of one that is fetched.
    """

    def __init__(self, *, fetch_urls: bool, limit: int, max_pixels: int) -> None:
        self._fetch_urls = fetch_urls
        self._limit = limit
        self._max_pixels = max_pixels
        self._threads = ThreadPoolExecutor(
            min(4, os.cpu_count() or 1), thread_name_prefix="thumbnails"
        )
        self._waiting = 0
        self._kept: Kept[bytes] = Kept(_ROOM, len)

    def close(self) -> None:
        """Start no other."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def within(self, row: Mapping[str, Any], side: int) -> tuple[bytes, str]:
        """The picture of a row within a square, upright, and its media type.

        Raises:
            ApiError: it is not there, or not what was embedded.
            Overloaded: too many are waited for.
        """
        content = None
        if address := web_address(row):
            if not self._fetch_urls:
                raise ApiError(
                    404,
                    "this picture is on another server, and this one fetches none: start it with "
                    "--fetch-urls",
                    "id",
                    "urls_not_fetched",
                )
            if kept := self._kept.get(_name(row, side)):
                return kept, _media_type(side)
            content = await self._fetched(address, row)
        if self._waiting >= _WAITING:
            raise Overloaded
        self._waiting += 1
        work = self._threads.submit(self._made, row, side, content)
        work.add_done_callback(self._done)
        return await asyncio.wrap_future(work), _media_type(side)

    def _done(self, work: object) -> None:
        self._waiting -= 1

    async def _fetched(self, address: str, row: Mapping[str, Any]) -> bytes:
        name = "the picture"
        try:
            content = await urls.fetch(address, limit=self._limit, name=name)
            return check_content(row, check_picture(content, name, self._limit))
        except PictureError as error:
            raise ApiError(404, str(error), "id", "picture_unreachable") from None

    def _made(self, row: Mapping[str, Any], side: int, content: bytes | None) -> bytes:
        name = _name(row, side)
        if content is not None:
            return self._kept.put(name, _small(content, side, self._max_pixels))
        with opened(row) as read:
            kept = self._kept.get(name)
            content = b"" if kept else read()
        return kept or self._kept.put(name, _small(content, side))


def _small(content: bytes, side: int, max_pixels: int = images.MAX_PIXELS) -> bytes:
    try:
        picture = images.decode(
            content, name="the picture", upright=True, max_pixels=max_pixels, reduced=side
        )
        return encoded(picture, side)
    except PictureError as error:
        raise ApiError(410, str(error), "id", "picture_unreadable") from None


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
    return row["source"], row["size"], row["mtime_ns"], row["sha256"], side
