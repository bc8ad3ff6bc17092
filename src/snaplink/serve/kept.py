"""What was made lately, up to so many bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Remembers values by what they were made from; the ones used longest ago go first.

    Args:
        room: bytes of all values together.
        size: the bytes of one.

    >>> kept = Kept(room=6, size=len)
    >>> _ = kept.put("a", b"1234"), kept.put("b", b"12"), kept.get("a"), kept.put("c", b"1")
    >>> kept.get("a"), kept.get("b")
    (b'1234', None)
    """

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room = room
        self._size_of = size
        self._size = 0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a value in the place of the one before; returns it, also where it has no room."""
        with self._lock:
            if key in self._values:
                self._size -= self._size_of(self._values.pop(key))
            self._values[key] = value
            self._size += self._size_of(value)
            while self._size > self._room:
                self._size -= self._size_of(self._values.popitem(last=False)[1])
        return value
