"""Processes that read items: one that hangs or crashes costs its picture and nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

from snaplink.errors import SnaplinkError

from .items import Failed, Item
from .process import ENDED, DecoderProcess
from .reading import Outcome, Reader
from .worker import FETCHED_AT_ONCE, READY

__all__ = ["Decoders", "cores"]

_WINDOW = 3
"""Items that a process has before it: one in work, and no wait for the next."""
_TURN = 0.5
"""Seconds between two looks at the clock and at whether to stop."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Decoders:
    """A pool of such processes. They start at once, and do not wait for `use`.

    Args:
        workers: how many.
        limit: seconds that an item may take.
    """

    def __init__(self, workers: int, limit: float) -> None:
        self._limit = limit
        self._stopping = False
        self._reader: Reader | None = None
        self._answers: SimpleQueue[tuple[_Worker, Any]] = SimpleQueue()
        self._workers = [_Worker(self._answers) for _ in range(workers)]

    def use(self, reader: Reader) -> None:
        """Say what to do with items; before `map`."""
        self._reader = reader
        for worker in self._workers:
            worker.send((reader, self._limit))

    def map(self, items: Iterator[Item]) -> Iterator[Outcome]:
        """Read the items and yield what became of each, in no particular order."""
        waiting: deque[Item] = deque()  # before those that are still to come
        crashed: set[str] = set()
        while not self._stopping:
            for number, worker in enumerate(self._workers):
                if worker.failure:
                    self._workers[number] = self._successor(worker)
                    yield from _blamed(worker, waiting, crashed)
            self._hand_out(waiting, items)
            if not any(worker.items for worker in self._workers):
                return
            yield from self._answered()

    def _hand_out(self, waiting: deque[Item], items: Iterator[Item]) -> None:
        """Give until all have enough, or nothing is left."""
        while True:
            item = waiting.popleft() if waiting else next(items, None)
            if item is None:
                return
            able = [worker for worker in self._workers if worker.has_room_for(item)]
            if not able:
                waiting.appendleft(item)
                return
            min(able, key=lambda worker: len(worker.items)).give(item)

    def _answered(self) -> Iterator[Outcome]:
        try:
            worker, answer = self._answers.get(timeout=_TURN)
        except Empty:
            for worker in self._workers:
                worker.look_at_the_clock(self._limit)
            return
        if answer is ENDED:
            worker.has_ended()
        elif answer == READY:
            worker.is_ready = True
        elif worker in self._workers:
            worker.items.popleft()
            yield answer
        worker.since = time.monotonic()

    def _successor(self, worker: _Worker) -> _Worker:
        worker.end()
        if not worker.is_ready:
            raise SnaplinkError(
                "the processes that decode pictures do not start: see whether memory is short, "
                f"and whether `{sys.executable} -c 'import snaplink, torch'` works"
            )
        successor = _Worker(self._answers)
        successor.send((self._reader, self._limit))
        return successor

    def stop(self) -> None:
        """Let `map`, in whatever thread, end soon."""
        self._stopping = True

    def close(self) -> None:
        """End the processes, whatever they are at."""
        self.stop()
        for worker in self._workers:
            worker.end()


def _blamed(worker: _Worker, waiting: deque[Item], crashed: set[str]) -> Iterator[Outcome]:
    """Blame the item in work, and give the others to somebody else.

    A process may also have been killed by somebody: its item has a second chance.
    """
    if not worker.items:
        return
    first, *others = worker.items
    if worker.crashed and first.key not in crashed:
        crashed.add(first.key)
        others.append(first)
    else:
        yield Failed(first.key, worker.failure), None
    waiting.extendleft(reversed(others))


class _Worker:
    """A process of the pool, and what it was given."""

    def __init__(self, answers: SimpleQueue[tuple[_Worker, Any]]) -> None:
        self.items: deque[Item] = deque()
        self.since = time.monotonic()
        self.is_ready = False
        self.crashed = False
        self.failure = ""
        self._process = DecoderProcess(lambda _, answer: answers.put((self, answer)))

    def send(self, message: object) -> None:
        self._process.send(message)

    def has_room_for(self, item: Item) -> bool:
        distant = item.place is not None and item.place.distant
        return len(self.items) < (FETCHED_AT_ONCE if distant else _WINDOW) and not self.failure

    def give(self, item: Item) -> None:
        if not self.items:
            self.since = time.monotonic()
        self.items.append(item)
        self.send(item)

    def look_at_the_clock(self, limit: float) -> None:
        if self.is_ready and self.items and time.monotonic() - self.since > limit:
            self.failure = f"took longer than {limit:g} seconds"

    def has_ended(self) -> None:
        if not self.failure:
            self.failure = self._process.how_it_crashed()
            self.crashed = True

    def end(self) -> None:
        self._process.end()
