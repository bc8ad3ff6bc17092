"""Pictures of clients, decoded by processes that may hang or crash: only their request notices."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt
from PIL import PngImagePlugin

from snaplink import images
from snaplink.embed.process import ENDED, DecoderProcess
from snaplink.embed.worker import READY
from snaplink.errors import PictureError, TooManyPixelsError

from .errors import NotReady, PictureTooLarge
from .fairness import FairLine

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

__all__ = ["Decoding", "Preparation"]

Pixels = npt.NDArray[Any]

_ATTEMPTS = 2
"""A process may also have been killed by somebody: its picture has a second chance."""
_TEXT = 4 << 20
"""Bytes of text in a PNG, unpacked: nobody reads it, and Pillow's 64 MiB keep a decoder busy."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two starts, if one process after the other ends without having decoded."""


@dataclass(frozen=True)
class Preparation:
    """A picture's bytes to the model's view of it; picklable, the `Work` of a decoder.

    Args:
        preprocess: a picture to its pixels.
        upright: turn photographs as the camera noted.
        max_pixels: a picture whose file says that it has more is not decoded.
    """

    preprocess: Callable[[Image.Image], Tensor]
    upright: bool
    max_pixels: int

    def __call__(self, content: bytes) -> tuple[Exception | None, Pixels | None]:
        """None and the pixels, or why there are none. The name is added by who knows it."""
        PngImagePlugin.MAX_TEXT_MEMORY = _TEXT
        try:
            picture = images.decode(
                content, name="", upright=self.upright, max_pixels=self.max_pixels
            )
            return None, self.preprocess(picture).numpy()
        except TooManyPixelsError as error:
            return PictureTooLarge("", error.problem), None
        except PictureError as error:
            return error, None
        except MemoryError:
            return PictureError("", "too little memory to decode it"), None
        except Exception as error:
            return PictureError("", f"cannot be prepared ({error or type(error).__name__})"), None

    def is_distant(self, content: bytes) -> bool:
        return False

    def fetched(self, content: bytes) -> bytes:
        return content


class Observer(Protocol):
    """Who is told what happens; `metrics.Metrics` is one."""

    def decoded(self, seconds: float) -> None: ...
    def decoder_restarted(self) -> None: ...


@dataclass(eq=False)
class _Picture:
    content: bytes
    pixels: asyncio.Future[Pixels]
    attempts: int = 0


@dataclass(eq=False)
class _Worker:
    """A process, and the one picture that it has: so it is known who crashed it."""

    process: DecoderProcess | None = None  # None before it is started (again)
    is_ready: bool = False
    picture: _Picture | None = None
    since: float = 0.0
    clock: asyncio.TimerHandle | None = field(default=None)

    def rest(self) -> _Picture | None:
        """Have no picture any more; which one it was."""
        picture, self.picture = self.picture, None
        if self.clock:
            self.clock.cancel()
        return picture


class Decoding:
    """A pool of such processes, used from the event loop.

    Args:
        workers: how many. They start at once.
        limit: seconds that a picture may take.
        ahead: pictures that may be in memory decoded, or about to be.
        observer: told of times and restarts.
    """

    def __init__(
        self, workers: int, limit: float, ahead: int, observer: Observer | None = None
    ) -> None:
        self._limit = limit
        self._ahead = ahead
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._work: object = None
        self._line: FairLine[_Picture] = FairLine()
        self._held = 0
        self._fruitless = 0  # processes that ended since the last picture was decoded
        self._closed = False
        self._first = self._loop.create_future()
        self._workers = [_Worker() for _ in range(workers)]
        for worker in self._workers:
            self._start(worker)

    async def use(self, work: object) -> None:
        """Say what to do with pictures, and wait until a process is ready to."""
        self._work = work
        for worker in self._workers:
            if worker.process:
                worker.process.send((work, self._limit))
        await asyncio.shield(self._first)

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [worker.process.pid for worker in self._workers if worker.process]

    @asynccontextmanager
    async def decoded(self, content: bytes, name: str, owner: Hashable) -> AsyncIterator[Pixels]:
        """A picture's pixels, which count as held until the context ends.

        Args:
            content: the picture's file.
            name: what errors call it.
            owner: whose turn it is to be.

        Raises:
            PictureError: there are none.
        """
        picture = _Picture(content, self._loop.create_future())
        self._line.push(picture, owner)
        self._hand_out()
        try:
            try:
                pixels = await picture.pixels
            except PictureError as error:
                raise type(error)(name, error.problem) from None
            yield pixels
        finally:
            if not picture.pixels.done():
                picture.pixels.cancel()
            if picture.attempts:
                self._held -= 1
                self._hand_out()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not worker.is_ready or worker.picture:
                continue
            while self._line and self._line.first().pixels.done():  # nobody waits any more
                self._line.pop()
            if not self._line or (self._held >= self._ahead and not self._line.first().attempts):
                return
            self._give(worker, self._line.pop())

    def _give(self, worker: _Worker, picture: _Picture) -> None:
        assert worker.process is not None
        self._held += not picture.attempts
        picture.attempts += 1
        worker.picture, worker.since = picture, time.perf_counter()
        worker.clock = self._loop.call_later(self._limit, self._end_of_patience, worker)
        worker.process.send(picture.content)

    def _end_of_patience(self, worker: _Worker) -> None:
        _fail(worker.rest(), f"took longer than {self._limit:g} seconds to decode")
        self._replace(worker)

    def _start(self, worker: _Worker) -> None:
        if self._closed:
            return
        try:
            worker.process = DecoderProcess(self._tell)
        except OSError:  # too little memory, or too many processes
            self._replace(worker)
            return
        if self._work is not None:
            worker.process.send((self._work, self._limit))

    def _tell(self, process: DecoderProcess, answer: Any) -> None:
        """From the process's thread."""
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._heard, process, answer)

    def _heard(self, process: DecoderProcess, answer: Any) -> None:
        for worker in self._workers:
            if worker.process is process:
                break
        else:  # it was given up before
            return
        if answer is ENDED:
            self._has_ended(worker, process)
        elif answer == READY:
            worker.is_ready = True
            if not self._first.done():
                self._first.set_result(None)
        else:
            self._has_answered(worker, *answer)
        self._hand_out()

    def _has_answered(
        self, worker: _Worker, error: Exception | None, pixels: Pixels | None
    ) -> None:
        self._fruitless = 0
        if self._observer:
            self._observer.decoded(time.perf_counter() - worker.since)
        picture = worker.rest()
        if picture is None or picture.pixels.done():
            return
        if error is None and pixels is not None:
            picture.pixels.set_result(pixels)
        else:
            picture.pixels.set_exception(error or PictureError("", "was not decoded"))

    def _has_ended(self, worker: _Worker, process: DecoderProcess) -> None:
        picture = worker.rest()
        if picture and picture.attempts < _ATTEMPTS and not self._closed:
            self._line.push(picture, object())
        else:
            _fail(picture, process.how_it_crashed())
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        """Start another one: at once, unless one after the other ends."""
        if worker.process:
            worker.process.kill()
        worker.process, worker.is_ready = None, False
        if self._closed:
            return
        self._fruitless += 1
        if self._observer:
            self._observer.decoder_restarted()
        beyond = self._fruitless - len(self._workers)
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**beyond) if beyond > 0 else 0.0
        if beyond > 2 and not self._first.done():
            self._first.set_exception(NotReady(_NO_START))
        self._loop.call_later(pause, self._start, worker)

    async def close(self) -> None:
        """End the processes, whatever they are at."""
        self._closed = True
        processes = [worker.process for worker in self._workers if worker.process]
        for worker in self._workers:
            _fail(worker.rest(), "was not decoded before the server ended")
            worker.process = None
        while self._line:
            _fail(self._line.pop(), "was not decoded before the server ended")
        await asyncio.gather(*(asyncio.to_thread(process.end) for process in processes))


_NO_START = (
    "the processes that decode pictures do not start: see whether memory is short, and whether "
    f"`{sys.executable} -c 'import snaplink, torch'` works"
)


def _fail(picture: _Picture | None, problem: str) -> None:
    if picture and not picture.pixels.done():
        picture.pixels.set_exception(PictureError("", problem))
