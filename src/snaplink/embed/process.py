"""One process that reads items, seen from outside; `worker` is the same from inside.

It is started by its own command, not by `multiprocessing`, which would run the caller's script
again.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import numpy as np

from .worker import READY

__all__ = ["ENDED", "DecoderProcess"]

ENDED = None
"""What is told last, whatever ended the process."""

_TO_END = 5.0
"""Seconds that a process may take to end."""
_COMMAND = (
    "import os, sys; sys.path[:] = sys.argv[1:]; getattr(os, 'nice', int)(10); "
    "from snaplink.embed.worker import main; main()"
)
"""Nice from the start: to import is most of what a short-lived one does."""


class DecoderProcess:
    """A process of its own, which may be ended at any moment.

    Two threads talk to it, so that nobody waits for it.

    Args:
        tell: called in such a thread with the process and `READY`, then with each answer
            ``(result, pixels or None)``, then with `ENDED`.
    """

    def __init__(self, tell: Callable[[DecoderProcess, Any], None]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *filter(None, map(os.path.abspath, sys.path))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the parent
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._messages: SimpleQueue[object] = SimpleQueue()
        for talk in (self._send, lambda: self._receive(tell)):
            threading.Thread(target=talk, name="decoder", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: object) -> None:
        """First what reads and its time limit, as a pair; then items."""
        self._messages.put(message)

    def how_it_crashed(self) -> str:
        """In words, after `ENDED`."""
        code = self._process.wait()
        return "the decoder crashed " + (f"(signal {-code})" if code < 0 else f"(code {code})")

    def kill(self) -> None:
        """End it without waiting until it has."""
        self._process.kill()
        self._messages.put(None)

    def end(self) -> None:
        """End it, whatever it is at."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TO_END)

    def _send(self) -> None:
        """Until None is to be sent, or nobody takes it."""
        assert self._process.stdin is not None
        with suppress(OSError), self._process.stdin as stream:
            while (message := self._messages.get()) is not None:
                pickle.dump(message, stream)
                stream.flush()

    def _receive(self, tell: Callable[[DecoderProcess, Any], None]) -> None:
        assert self._process.stdout is not None
        gone = suppress(EOFError, OSError, pickle.UnpicklingError)
        with gone, self._process.stdout as stream:
            while True:
                tell(self, _answer(stream))
        self._reap()
        tell(self, ENDED)

    def _reap(self) -> None:
        """Leave no zombie, and no process that has closed its output and goes on."""
        try:
            self._process.wait(_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _answer(stream: Any) -> Any:
    message = pickle.load(stream)
    if message == READY:
        return READY
    result, shape, dtype = message
    if shape is None:
        return result, None
    pixels = np.empty(shape, dtype)
    if stream.readinto(pixels.data.cast("B")) < pixels.nbytes:
        raise EOFError
    return result, pixels
