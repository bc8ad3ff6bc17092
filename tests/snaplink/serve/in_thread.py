"""Decoders without processes, for tests of those who use them."""

from __future__ import annotations

import queue
import threading

from snaplink.embed.process import ENDED
from snaplink.embed.worker import READY

__all__ = ["InThread"]


class InThread:
    """A decoder without its process, whose start would take most of these tests' time."""

    pid = 0

    def __init__(self, tell) -> None:
        self._tell = tell
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        message = self._messages.get()
        if message is not ENDED:
            self._tell(self, READY)
            work, _ = message
            while (content := self._messages.get()) is not ENDED:
                self._tell(self, work(content))
        self._tell(self, ENDED)

    def send(self, message: object) -> None:
        self._messages.put(message)

    def kill(self) -> None:
        self._messages.put(ENDED)

    end = kill

    def how_it_crashed(self) -> str:
        return "it ended"
