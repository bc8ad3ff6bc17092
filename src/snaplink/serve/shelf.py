"""The store that is served: opened once, opened anew when it has changed, searched in threads."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from snaplink.errors import StoreError
from snaplink.store import Store
from snaplink.vectors import Matrix

from .columns import columns_of
from .demo import Demo
from .errors import ApiError, NotReady, Overloaded
from .inference import Inference
from .inputs import Link, contents_of
from .loading import check_model_of
from .settings import Settings
from .standing import Page, Standing, Wish
from .thumbnails import Pictures

__all__ = ["Part", "Shelf"]

_LOOKS = 2.0
"""Seconds between two looks at the manifest."""

_REST = 10.0
"""Seconds for which a state stays the newest at least: `snaplink embed` makes some each second."""

_FORMER = 4
"""States whose ids still hold, so that somebody who looks at a page can go on with it."""

_SEARCHES, _WAITING = 4, 256

_log = logging.getLogger("snaplink.serve")
Result = TypeVar("Result")
_Stamp: TypeAlias = "tuple[int, int] | None"


@dataclass(frozen=True)
class Part:
    """Something to search for: one of words, a picture or where it is, or the id of a row.

    Attributes:
        weight: how much it counts; below 0, it is avoided.
        name: what errors call it.
    """

    text: str | None = None
    picture: bytes | Link | None = None
    id: str | None = None
    weight: float = 1.0
    name: str = "query"


class Shelf:
    """Serves a store, or the example pictures where none was named.

    Args:
        settings: which store, and the limits.
        inference: turns words and pictures into vectors; ready before `start`.
    """

    def __init__(self, settings: Settings, inference: Inference) -> None:
        self._settings = settings
        self._inference = inference
        self._demo = Demo(inference) if settings.store is None else None
        self._states: list[Standing] = []
        self._facts: dict[str, list[dict[str, Any]]] = {}
        self._threads = ThreadPoolExecutor(
            _SEARCHES, "search", initializer=_use_one_core, initargs=(torch.get_num_threads(),)
        )
        self._waiting = 0
        self._watching: asyncio.Task[None] | None = None
        self._pictures = Pictures(
            fetch_urls=settings.fetch_urls,
            limit=settings.max_picture,
            max_pixels=settings.max_pixels,
        )

    async def start(self) -> None:
        """Open the store.

        Raises:
            StoreError: it cannot be used, or another model made it.
        """
        await self._begin_threads()
        path = self._settings.store if self._demo is None else await self._demo.start()
        assert path is not None
        seen = _stamp(path)
        await self._open(path)
        self._watching = asyncio.create_task(self._watch(path, seen))

    async def _begin_threads(self) -> None:
        """All at once, before the model's thread asks how many cores it may use."""
        begun = threading.Barrier(_SEARCHES)
        loop = asyncio.get_running_loop()
        waiting = [loop.run_in_executor(self._threads, begun.wait) for _ in range(_SEARCHES)]
        await asyncio.gather(*waiting)

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
            raise NotReady("the store is being opened")
        return self._states[-1]

    def state(self, snapshot: str) -> Standing:
        """The present state or a former one.

        Raises:
            ApiError: it is long past.
        """
        for standing in (self.standing, *self._states):
            if standing.snapshot == snapshot:
                return standing
        raise ApiError(410, "the store has changed since: search again", code="store_changed")

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

    async def search(
        self, parts: Sequence[Part], wish: Wish, snapshot: str | None = None
    ) -> tuple[Standing, Page]:
        """The rows that fit best; without parts, all in the order of the store.

        Args:
            parts: what is searched for.
            wish: which rows are wanted.
            snapshot: of the state to search; by default the present one.

        Raises:
            ApiError: something asked for cannot be.
            PictureError: a picture cannot be used.
        """
        standing = self.standing if snapshot is None else self.state(snapshot)
        standing.modality(wish.modality)
        if not parts:
            return standing, await self._in_thread(partial(standing.browse, wish))
        vector = await self._direction(parts, standing.dim, wish.modality)
        return standing, await self._in_thread(partial(standing.ranked, vector, wish))

    async def picture(self, name: str, side: int) -> tuple[bytes, str]:
        """A row's picture within a square, re-encoded, and its media type.

        Raises:
            ApiError: there is none, or it is not what it was.
        """
        standing, position = self.located(name)
        row = await self._in_thread(partial(standing.row, position))
        return await self._pictures.within(row, side)

    def located(self, name: str) -> tuple[Standing, int]:
        """The state and the position that an id means.

        Raises:
            ApiError: none, or a state that is long past.
        """
        snapshot, _, digits = name.rpartition("-")
        if not (snapshot and digits.isascii() and digits.isdecimal() and len(digits) < 16):
            raise ApiError(404, "this is no id of a row", "id")
        standing, position = self.state(snapshot), int(digits)
        if position >= len(standing):
            raise ApiError(404, "the store has no such row", "id")
        return standing, position

    async def _direction(self, parts: Sequence[Part], dim: int, modality: str | None) -> Matrix:
        """The unit vector ``[dim]`` of the parts: the sum of theirs, each times its weight."""
        for part in parts:
            if not math.isfinite(part.weight) or part.weight == 0:
                raise ApiError(400, f"{part.name}: give a weight above or below 0", part.name)
        rows = [part for part in parts if part.id is not None]
        texts = [part for part in parts if part.text is not None]
        pictures = [part for part in parts if part.picture is not None]
        vectors = [
            *[await self._of_row(part.id or "", modality) for part in rows],
            *await self._encoded(texts, pictures),
        ]
        total = np.zeros(dim)
        for part, vector in zip([*rows, *texts, *pictures], vectors, strict=True):
            total += part.weight * vector
        length = np.linalg.norm(total)
        if not np.isfinite(length) or length < 1e-6:
            raise ApiError(400, "the parts of the query cancel out: change a weight", "query")
        return np.asarray(total / length, np.float32)

    async def _of_row(self, name: str, modality: str | None) -> Matrix:
        standing, position = self.located(name)
        return await self._in_thread(partial(standing.vector, position, modality))

    async def _encoded(self, texts: Sequence[Part], pictures: Sequence[Part]) -> list[Matrix]:
        names = [part.name for part in pictures]
        given = [part.picture or b"" for part in pictures]
        contents = await contents_of(given, names, self._settings)
        of_texts, of_pictures = await asyncio.gather(
            self._inference.texts([part.text or "" for part in texts]),
            self._inference.pictures(contents, names=names),
        )
        return [*of_texts, *of_pictures]

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= _WAITING:
            raise Overloaded
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # what has begun in a thread cannot be stopped

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # of one that nobody awaits any more

    async def _open(self, path: Path) -> None:
        standing = await asyncio.to_thread(_opened, path)
        await asyncio.to_thread(check_model_of, standing, self._inference.encoder)
        self._states = [*self._states, standing][-_FORMER - 1 :]

    async def _watch(self, path: Path, seen: _Stamp) -> None:
        """Look whether the manifest has changed; what cannot be opened is tried again."""
        told = ""
        while True:
            await asyncio.sleep(_LOOKS)
            now = _stamp(path)
            if now == seen:
                continue
            try:
                await self.look_again()
                seen, told = now, ""
                await asyncio.sleep(_REST)
            except (StoreError, OSError) as error:
                if told != str(error):
                    _log.warning("the store is served as it was: %s", error)
                told = str(error)

    async def look_again(self) -> None:
        """Open the store's newest state, if that is another."""
        path = self.standing.path
        if (await asyncio.to_thread(Store.open, path)).snapshot != self.standing.snapshot:
            await self._open(path)


def _use_one_core(others: int) -> None:
    """In this thread: beside the model's threads, several would mostly wait for one another."""
    torch.get_num_threads()  # a thread's first question sets its number: later, it would undo ours
    torch.set_num_threads(1)
    # That is also what further threads would begin with, unless another one says so.
    again = threading.Thread(target=torch.set_num_threads, args=(others,))
    again.start()
    again.join()


def _opened(path: Path) -> Standing:
    return Standing(Store.open(path), lambda note: _log.info("%s", note))


def _stamp(path: Path) -> _Stamp:
    try:
        status = (path / "manifest.json").stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
