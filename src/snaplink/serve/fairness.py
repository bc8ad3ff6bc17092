"""Whose turn it is: a line in which a long request does not keep short ones waiting."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["FairLine"]

Item = TypeVar("Item")


class FairLine(Generic[Item]):
    """Gives out items of several owners in turns, and one owner's in the order they came.

    Every item gets a number when it comes: the one after its owner's last, but not less than what
    is being served now. The least number is next (start-time fair queueing).

    >>> line = FairLine[str]()
    >>> for name in ("long 1", "long 2", "long 3"):
    ...     line.push(name, owner="long")
    >>> line.pop()
    'long 1'
    >>> line.push("short 1", owner="short")
    >>> line.pop(), line.pop()
    ('short 1', 'long 2')
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item, Hashable]] = []
        self._next: dict[Hashable, tuple[int, int]] = {}  # of an owner: number, items in the line
        self._served = 0
        self._came = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, item: Item, owner: Hashable) -> None:
        """Let an item stand in line."""
        number, waiting = self._next.get(owner, (self._served, 0))
        number = max(number, self._served)
        self._next[owner] = number + 1, waiting + 1
        heapq.heappush(self._heap, (number, self._came, item, owner))
        self._came += 1

    def first(self) -> Item:
        """The item whose turn it is; `IndexError` if there is none."""
        return self._heap[0][2]

    def pop(self) -> Item:
        """That item, out of the line."""
        self._served, _, item, owner = heapq.heappop(self._heap)
        number, waiting = self._next[owner]
        if waiting == 1:
            del self._next[owner]
        else:
            self._next[owner] = number, waiting - 1
        return item
