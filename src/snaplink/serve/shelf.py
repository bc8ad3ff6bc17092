"""The store that is served: opened once, opened anew when it has changed, searched in threads."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from snaplink.errors import ArgumentError, StoreError
from snaplink.store import Store
from snaplink.vectors import Matrix

from .columns import columns_of
from .demo import Demo
from .errors import ApiError, NotReady, Overloaded, TimedOut
from .inference import Inference
from .loading import check_model_of
from .settings import Settings
from .standing import Page, Standing, Wish
from .thumbnails import Pictures

__all__ = ["Part", "Shelf"]

_LOOKS = 2.0
"""Seconds between two looks at the manifest."""

_FORMER = 4
"""States whose ids still hold, so that a page goes on while `snaplink embed` is at work."""

_SEARCHES, _WAITING = 4, 256

_log = logging.getLogger("snaplink.serve")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """Something to search for: one of words, a picture's bytes, or the id of a row.

    Attributes:
        weight: how much it counts; below 0, it is avoided.
        name: what errors call it.
    """

    text: str | None = None
    picture: bytes | None = None
    id: str | None = None
    weight: float = 1.0
    name: str = "query"


class Shelf:
    """Serves a store, or the example pictures where none was named.

    Args:
        settings: which store, and the limits.
        inference: turns words and pictures into vectors; ready before `start`.

    Attributes:
        problem: why the store cannot be searched just now, if so.
    """

    def __init__(self, settings: Settings, inference: Inference) -> None:
        self._settings = settings
        self._inference = inference
        self._demo = Demo(inference) if settings.store is None else None
        self._states: list[Standing] = []
        self._facts: dict[str, list[dict[str, Any]]] = {}
        self._threads = ThreadPoolExecutor(_SEARCHES, thread_name_prefix="search")
        self._waiting = 0
        self._watching: asyncio.Task[None] | None = None
        self._pictures = Pictures(fetch_urls=settings.fetch_urls, limit=settings.max_picture)
        self.problem: str | None = None

    @property
    def ready(self) -> bool:
        """Can it be searched?"""
        return bool(self._states)

    async def start(self) -> None:
        """Open the store.

        Raises:
            StoreError: it cannot be used, or another model made it.
        """
        path = self._settings.store if self._demo is None else await self._demo.start()
        assert path is not None
        await self._open(Path(path))
        self._watching = asyncio.create_task(self._watch(Path(path)))

    async def close(self) -> None:
        """End what runs in the background; the demo's store goes."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pictures.close()
        self._states.clear()
        if self._demo is not None:
            await self._demo.close()

    @property
    def standing(self) -> Standing:
        """The present state; a request keeps the one that it began with.

        Raises:
            NotReady: no store is open yet.
        """
        if not self._states:
            raise NotReady(self.problem or "the store is being opened")
        return self._states[-1]

    async def facts(self) -> dict[str, Any]:
        """What the store is, and what its columns hold."""
        standing = self.standing
        if standing.snapshot not in self._facts:
            columns = await self._in_thread(lambda: columns_of(standing))
            self._facts = {standing.snapshot: columns}
        indexed = await self._in_thread(lambda: standing.indexed)
        return {
            "name": "example pictures" if self._demo else standing.path.resolve().name,
            "rows": len(standing),
            "model": standing.fingerprint.model,
            "dim": standing.dim,
            "modalities": list(standing.modalities),
            "snapshot": standing.snapshot,
            "demo": self._demo is not None,
            "indexed": indexed,
            "columns": self._facts.get(standing.snapshot, []),
        }

    async def search(self, parts: Sequence[Part], wish: Wish) -> tuple[Standing, Page]:
        """The rows that fit best; without parts, all in the order of the store.

        Raises:
            ApiError: something asked for cannot be.
            PictureError: a picture cannot be used.
        """
        standing = self.standing
        if not parts:
            return standing, await self._in_thread(partial(standing.browse, wish))
        vector = await self._direction(parts, standing, wish.modality)
        return standing, await self._in_thread(partial(standing.ranked, vector, wish))

    async def picture(self, name: str, side: int) -> tuple[bytes, str]:
        """A row's picture within a square, re-encoded, and its media type.

        Raises:
            ApiError: there is none, or it is not what it was.
        """
        standing, position = self.located(name)
        row = await self._in_thread(lambda: standing.row(position))
        upright = bool(standing.fingerprint.preprocessing.get("upright", True))
        return await self._pictures.within(row, side, upright=upright)

    def located(self, name: str) -> tuple[Standing, int]:
        """The state and the position that an id means.

        Raises:
            ApiError: none, or a state that is long past.
        """
        snapshot, dash, digits = name.rpartition("-")
        if not (dash and snapshot.isalnum() and digits.isdecimal() and len(digits) < 16):
            raise ApiError(404, "this is no id of a picture", "id")
        self.standing  # noqa: B018  # raises if there is none
        for standing in reversed(self._states):
            if standing.snapshot == snapshot:
                if int(digits) < len(standing):
                    return standing, int(digits)
                raise ApiError(404, "the store has no such row", "id")
        raise ApiError(410, "the store has changed since: search again", "id", "store_changed")

    async def _direction(
        self, parts: Sequence[Part], standing: Standing, modality: str | None
    ) -> Matrix:
        for part in parts:
            if not math.isfinite(part.weight) or part.weight == 0:
                raise ApiError(400, f"{part.name}: give a weight above or below 0", part.name)
        texts = [part for part in parts if part.text is not None]
        pictures = [part for part in parts if part.picture is not None]
        rows, _ = await asyncio.gather(self._encoded(texts, pictures), asyncio.sleep(0))
        total = np.zeros(standing.dim)
        for part, row in zip([*texts, *pictures], rows, strict=True):
            total += part.weight * row
        for part in parts:
            if part.id is not None:
                of, position = self.located(part.id)
                vector = await self._in_thread(partial(of.vector, position, modality))
                total += part.weight * vector
        length = np.linalg.norm(total)
        if not np.isfinite(length) or length < 1e-6:
            raise ApiError(400, "the parts of the query cancel out: change a weight", "query")
        return np.asarray(total / length, np.float32)

    async def _encoded(self, texts: Sequence[Part], pictures: Sequence[Part]) -> list[Matrix]:
        async def of_texts() -> Matrix:
            return await self._inference.texts([part.text or "" for part in texts])

        async def of_pictures() -> Matrix:
            contents = [part.picture or b"" for part in pictures]
            names = [part.name for part in pictures]
            return await self._inference.pictures(contents, names=names)

        both = [of_texts()] * bool(texts) + [of_pictures()] * bool(pictures)
        return [row for rows in await asyncio.gather(*both) for row in rows]

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= _WAITING:
            raise Overloaded
        self._waiting += 1
        limit = self._settings.time_limit
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), limit)
        except (TimeoutError, asyncio.TimeoutError):
            raise TimedOut(limit) from None

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # of one that nobody awaits any more

    async def _open(self, path: Path) -> None:
        standing = await asyncio.to_thread(_opened, path)
        if self._states:
            standing.check(self._states[-1].fingerprint, query=True)
        else:
            await asyncio.to_thread(check_model_of, standing, self._inference.encoder)
        self._states = [*self._states, standing][-_FORMER - 1 :]

    async def _watch(self, path: Path) -> None:
        """Look whether the manifest has changed; after a change, wait longer."""
        seen = _stamp(path)
        while True:
            await asyncio.sleep(_LOOKS)
            now = _stamp(path)
            if now is None or now == seen:
                continue
            try:
                await self.look_again(path)
                self.problem, seen = None, now
                await asyncio.sleep(2 * _LOOKS)
            except (StoreError, ArgumentError, OSError) as error:
                if self.problem != str(error):
                    _log.warning("the store has changed and cannot be opened: %s", error)
                self.problem = str(error)

    async def look_again(self, path: Path | None = None) -> None:
        """Open the store's newest state, if that is another."""
        path = path or self.standing.path
        if (await asyncio.to_thread(Store.open, path)).snapshot != self.standing.snapshot:
            await self._open(path)


def _opened(path: Path) -> Standing:
    return Standing(Store.open(path), lambda note: _log.info("%s", note))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = (path / "manifest.json").stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
