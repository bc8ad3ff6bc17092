"""Inputs of all requests, in batches, to whatever computes them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from .errors import NotReady, Overloaded
from .fairness import FairLine

__all__ = ["Batcher", "Observer", "Run"]

Run: TypeAlias = Callable[[list[Any]], Sequence[Any]]
"""Computes a batch: one result for each input, in their order. Called in the batcher's thread."""

_LONGEST_RETRY = 60.0
_LAST_COUNTS = 0.2
"""How much the last batch counts in the measured rate."""


class Observer(Protocol):
    """Who is told what happens; `metrics.Metrics` is one."""

    def batch(self, kind: str, size: int, seconds: float) -> None: ...
    def waiting(self, kind: str, count: int) -> None: ...


@dataclass(eq=False)
class _Item:
    input: Any
    answer: asyncio.Future[Any]
    since: float
    owner: Hashable


class _Line:
    """The inputs of one kind that wait."""

    def __init__(self, kind: str, run: Run) -> None:
        self.kind = kind
        self.run = run
        self.items: FairLine[_Item] = FairLine()
        self.coming = 0
        self.returning = 0  # clients that the last batch answered, if they were several
        self.freed = 0.0  # when it was done
        self.seconds_each = 0.0  # measured; 0 before anything was

    def drop_forsaken(self) -> None:
        while self.items and self.items.first().answer.done():
            self.items.pop()

    def take(self, most: int) -> list[_Item]:
        taken: list[_Item] = []
        while self.items and len(taken) < most:
            item = self.items.pop()
            if not item.answer.done():
                taken.append(item)
        return taken

    def measured(self, seconds_each: float) -> None:
        known = self.seconds_each or seconds_each
        self.seconds_each = known + _LAST_COUNTS * (seconds_each - known)


class Batcher:
    """Computes the inputs of concurrent requests together, one kind in a batch.

    A batch is whatever waits when the thread is free, so that a lone client waits for nobody. If
    more is known to come (`expect`), or several clients were just answered, a batch that is not
    full waits for it, but not for long.
    Kinds take turns by who waits longest; requests of one kind as in `FairLine`.

    Args:
        kinds: what computes the inputs of each.
        max_batch: inputs at once.
        max_wait: seconds that an input may wait for those that are expected, and for clients that
            were just answered.
        capacity: inputs that may be there, waiting or in work. A request that finds nothing there
            is taken however long it is.
        observer: told of batches and of what waits.
    """

    def __init__(
        self,
        kinds: Mapping[str, Run],
        *,
        max_batch: int,
        max_wait: float,
        capacity: int,
        observer: Observer | None = None,
    ) -> None:
        self._lines = {kind: _Line(kind, run) for kind, run in kinds.items()}
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._capacity = capacity
        self._observer = observer
        self._admitted = 0
        self._changed = threading.Condition()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        threading.Thread(target=self._work, name="encoder", daemon=True).start()

    def admit(self, count: int) -> None:
        """Let in so many inputs of a request; `leave` when they are answered.

        Raises:
            Overloaded: there is no room.
            NotReady: the batcher is closing.
        """
        if self._closing:
            raise NotReady("the server is about to end")
        if self._admitted and self._admitted + count > self._capacity:
            raise Overloaded(self.retry_after())
        self._admitted += count

    def leave(self, count: int) -> None:
        """As many inputs that were admitted need nothing any more."""
        with self._changed:
            self._admitted -= count
            if self._closing:
                self._changed.notify()

    def retry_after(self) -> float:
        """Seconds in which what is there may be done, by the rate that was measured."""
        slowest = max(line.seconds_each for line in self._lines.values())
        return min(_LONGEST_RETRY, self._admitted * slowest or 1.0)

    def expect(self, kind: str, change: int) -> None:
        """So many more (or, below 0, fewer) inputs of a kind are on their way."""
        with self._changed:
            line = self._lines[kind]
            line.coming += change
            self._wake_for(line)

    def submit(
        self, kind: str, inputs: Sequence[Any], owner: Hashable
    ) -> list[asyncio.Future[Any]]:
        """A future result for each input. To cancel it is to drop the input, if it still waits.

        Raises:
            NotReady: the batcher is closed.
        """
        line, now = self._lines[kind], time.monotonic()
        items = [_Item(each, self._loop.create_future(), now, owner) for each in inputs]
        with self._changed:
            if self._ended.done():
                raise NotReady("the server is about to end")
            first = not line.items
            for item in items:
                line.items.push(item, owner)
            self._wake_for(line, first)
        self._tell_waiting(line)
        return [item.answer for item in items]

    async def close(self) -> None:
        """Admit nothing more, finish what is there, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        await asyncio.shield(self._ended)

    def _wake_for(self, line: _Line, first: bool = False) -> None:
        """Wake the thread if it has something to do, for that takes time from the loop.

        That is to run a batch, or to learn when a first input's wait will end.
        """
        if first or (line.items and self._patience(line) <= 0):
            self._changed.notify()

    def _tell_waiting(self, line: _Line) -> None:
        if self._observer:
            self._observer.waiting(line.kind, len(line.items))

    # What follows runs in the thread. It takes the next batch by itself, without the loop, so that
    # the model computes while the loop answers.

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            line, items = taken
            begin = time.perf_counter()
            outcomes = _computed(line.run, [item.input for item in items])
            seconds = time.perf_counter() - begin
            owners = len({item.owner for item in items})
            line.returning, line.freed = (owners if owners > 1 else 0), time.monotonic()
            self._in_loop(self._answer, line, items, outcomes, seconds)
        self._in_loop(self._end)

    def _in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody is left to be told
            self._loop.call_soon_threadsafe(call, *arguments)

    def _next(self) -> tuple[_Line, list[_Item]] | None:
        """A batch as soon as there is one; None at the end."""
        with self._changed:
            while True:
                wait: float | None = None
                ready: list[_Line] = []
                for line in self._waiting():
                    patience = self._patience(line)
                    if patience <= 0:
                        ready.append(line)
                    else:
                        wait = patience if wait is None else min(wait, patience)
                if ready:
                    line = min(ready, key=lambda line: line.items.first().since)
                    if items := line.take(self._max_batch):
                        return line, items
                elif self._closing and wait is None and not self._admitted:
                    return None
                else:
                    self._changed.wait(wait)

    def _waiting(self) -> list[_Line]:
        for line in self._lines.values():
            line.drop_forsaken()
        return [line for line in self._lines.values() if line.items]

    def _patience(self, line: _Line) -> float:
        """Seconds for which a line's batch still waits for more.

        Clients that were answered together mostly ask again together: without them, batches of
        one and of all others would take turns. The time begins with the first who is back, for
        until then the answers are still being sent.
        """
        until = 0.0
        if len(line.items) < self._max_batch:
            if line.coming:
                until = line.items.first().since
            if len(line.items) < line.returning:
                until = max(line.items.first().since, line.freed)
        return until + self._max_wait - time.monotonic() if until else 0.0

    # In the loop again.

    def _answer(self, line: _Line, items: list[_Item], outcomes: list[Any], seconds: float) -> None:
        for item, outcome in zip(items, outcomes, strict=True):
            if item.answer.done():  # nobody waits any more
                continue
            if isinstance(outcome, Exception):
                item.answer.set_exception(outcome)
            else:
                item.answer.set_result(outcome)
        line.measured(seconds / len(items))
        if self._observer:
            self._observer.batch(line.kind, len(items), seconds)
        self._tell_waiting(line)

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


def _computed(run: Run, inputs: list[Any]) -> list[Any]:
    """A result or an exception for each; one input's fault is not the others'."""
    try:
        results = list(run(inputs))
        if len(results) != len(inputs):
            raise RuntimeError(f"{len(results)} results for {len(inputs)} inputs")
        return results
    except Exception as error:
        if len(inputs) == 1:
            return [error]
    return [outcome for each in inputs for outcome in _computed(run, [each])]
