"""A process that reads items: from standard input to standard output, until either ends.

`process` starts it and may kill it at any moment. What decoders of pictures print goes nowhere.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import sys
import threading
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["FETCHED_AT_ONCE", "READY", "Work", "main"]

READY = "ready"
"""The first answer: everything is imported."""
FETCHED_AT_ONCE = 16
"""So many items that a network brings are read at the same time."""
_GRACE = 10.0  # seconds beyond the limit, for those who look at the clock outside


class Work(Protocol):
    """What such a process does with items; picklable."""

    def __call__(self, item: Any) -> tuple[Any, npt.NDArray[Any] | None]:
        """An item's result, picklable, with its pixels. Raises nothing."""

    def is_distant(self, item: Any) -> bool:
        """Whether a network brings it, so that `fetched` is called ahead, in a thread."""

    def fetched(self, item: Any) -> Any:
        """The item as far as a thread can prepare it. Raises nothing."""


def main() -> None:
    """Take the `Work` and the time limit, say `READY`, then answer item by item."""
    messages, answers = sys.stdin.buffer, _answers()
    try:
        work, limit = pickle.load(messages)
    except EOFError:  # whoever started us has nothing to do, or is gone
        return
    _be_modest()
    pickle.dump(READY, answers)
    answers.flush()
    items: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(messages, work, items), daemon=True).start()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        while True:
            # Should a decoder hang when nobody is left to kill us. Works without Python's lock.
            item = items.get()
            faulthandler.dump_traceback_later(limit + _GRACE, exit=True, file=nowhere)
            outcome = work(item.result() if isinstance(item, Future) else item)
            faulthandler.cancel_dump_traceback_later()
            _answer(answers, outcome)


def _answers() -> BinaryIO:
    """Standard output for us alone; nothing else that is printed arrives anywhere."""
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 18)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers


def _be_modest() -> None:
    """One core, and only what the encoder leaves of it: that is what everything waits for."""
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(10)
    warnings.simplefilter("ignore")
    os.dup2(1, 2)  # C libraries complain there by themselves


def _receive(messages: Any, work: Work, items: SimpleQueue[Any]) -> None:
    """Take what comes, and start to fetch what comes from afar."""
    with ThreadPoolExecutor(FETCHED_AT_ONCE) as threads:
        while True:
            try:
                item = pickle.load(messages)
            except (EOFError, OSError):  # nobody is left who wants an answer
                os._exit(0)
            items.put(threads.submit(work.fetched, item) if work.is_distant(item) else item)


def _answer(answers: BinaryIO, outcome: tuple[Any, npt.NDArray[Any] | None]) -> None:
    result, pixels = outcome
    shape, dtype = (None, None) if pixels is None else (pixels.shape, pixels.dtype.str)
    try:
        pickle.dump((result, shape, dtype), answers)
        if pixels is not None:
            answers.write(np.ascontiguousarray(pixels).data)
        answers.flush()
    except OSError:
        os._exit(0)
