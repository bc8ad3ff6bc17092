"""A progress bar for a download, on a terminal; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar"]


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Give a function that shows how far a download has come; None where nobody would see it.

    The function takes the bytes that are here and the bytes in all (None: not known). The bar,
    with size, speed and time left, appears on standard error when it is first called.

    >>> with bar("RN50.pt") as moved:
    ...     pass
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    display = Progress(*columns, console=Console(stderr=True))
    task = display.add_task(name, total=None)

    def moved(done: int, total: int | None) -> None:
        display.start()
        display.update(task, completed=done, total=total)

    try:
        yield moved
    finally:
        display.stop()
