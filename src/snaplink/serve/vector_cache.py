"""Vectors that come again: remembered within a bound, and computed once for all who wait."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Vector", "VectorCache"]

Vector: TypeAlias = npt.NDArray[np.float32]

_OVERHEAD = 300
"""Bytes of an entry beside key and vector, about."""


@dataclass
class _Shared:
    future: asyncio.Future[Any]
    waiting: int = 0


class VectorCache:
    """The vectors that were used last, by key.

    Args:
        capacity: bytes that keys and vectors may have together.
        looked_up: told how many keys were there, and how many were not.
    """

    def __init__(
        self, capacity: int, looked_up: Callable[[int, int], None] = lambda hits, misses: None
    ) -> None:
        self._capacity = capacity
        self._looked_up = looked_up
        self._vectors: OrderedDict[Hashable, Vector] = OrderedDict()
        self._under_way: dict[Hashable, _Shared] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._vectors

    def known(self, key: Hashable) -> Vector | None:
        """The vector of a key, which counts as used."""
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    async def get(
        self,
        keys: Sequence[Hashable],
        start: Callable[[list[Any]], Sequence[asyncio.Future[Any]]],
    ) -> list[Vector]:
        """The vectors of some keys.

        Args:
            keys: some may be there several times.
            start: begins to compute the keys that are neither known nor under way. A future that
                nobody waits for any more is cancelled.

        Raises:
            whatever `start` or the first future that fails does.
        """
        vectors = {key: vector for key in set(keys) if (vector := self.known(key)) is not None}
        self._looked_up(hits := sum(key in vectors for key in keys), len(keys) - hits)
        missing = [key for key in dict.fromkeys(keys) if key not in vectors]
        self._start([key for key in missing if key not in self._under_way], start)
        joined = {key: self._under_way[key] for key in missing}
        for shared in joined.values():
            shared.waiting += 1
        try:
            if joined:
                await asyncio.wait([shared.future for shared in joined.values()])
            vectors |= {key: shared.future.result() for key, shared in joined.items()}
        finally:
            for key, shared in joined.items():
                shared.waiting -= 1
                if not shared.waiting and not shared.future.done():
                    del self._under_way[key]  # at once: nobody is to join what was cancelled
                    shared.future.cancel()
        return [vectors[key] for key in keys]

    def _start(
        self, keys: list[Any], start: Callable[[list[Any]], Sequence[asyncio.Future[Any]]]
    ) -> None:
        if keys:
            for key, future in zip(keys, start(keys), strict=True):
                self._under_way[key] = _Shared(future)
                future.add_done_callback(partial(self._arrived, key))

    def _arrived(self, key: Hashable, future: asyncio.Future[Any]) -> None:
        if (shared := self._under_way.get(key)) and shared.future is future:
            del self._under_way[key]
        if not future.cancelled() and future.exception() is None:
            self._keep(key, future.result())

    def _keep(self, key: Hashable, vector: Vector) -> None:
        vector = vector.copy()  # a row of a batch would keep the whole batch
        if key in self._vectors or _bytes(key, vector) > self._capacity:
            return
        self._vectors[key] = vector
        self.size += _bytes(key, vector)
        while self.size > self._capacity:
            self.size -= _bytes(*self._vectors.popitem(last=False))


def _bytes(key: Hashable, vector: Vector) -> int:
    return _text_bytes(key) + vector.nbytes + _OVERHEAD


def _text_bytes(key: Hashable) -> int:
    if isinstance(key, tuple):
        return sum(map(_text_bytes, key))
    return sys.getsizeof(key)
