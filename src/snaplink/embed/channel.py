"""A bounded queue between threads that either side can close."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Channel"]

Item = TypeVar("Item")


class Channel(Generic[Item]):
    """Passes items on in order, at most `size` waiting.

    >>> channel = Channel(2)
    >>> channel.put("a")
    True
    >>> channel.close()
    >>> list(channel), channel.put("b")
    (['a'], False)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Item) -> bool:
        """Wait for room. False if the channel was closed, and the item is lost."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._size)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def close(self) -> None:
        """Nothing more comes; what is waiting may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._items)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
