"""How results look on a terminal: colours and bars there, plain text elsewhere."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bar", "console", "counted", "how_many", "printable", "progress"]

Item = TypeVar("Item")

_STEERING = ("Cc", "Cs", "Zl", "Zp")  # controls, undecodable bytes, line and paragraph separators


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no emoji names, no guessed highlights.

    Honours NO_COLOR, and has no colour where its stream is no terminal.
    """
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def bar(share: float, width: int) -> str:
    """A bar that fills this share of the width, to half a cell, padded with spaces.

    >>> bar(0.5, 3)
    '━╸ '
    """
    full, half = divmod(round(share * width * 2), 2)
    return ("━" * full + "╸" * half).ljust(width)


def printable(text: str) -> str:
    r"""The text with control characters made visible, so that no file name steers a terminal.

    >>> print(printable("cat\x1b[2J.png"))
    cat\x1b[2J.png
    """
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _STEERING else char
        for char in text
    )


def how_many(count: int, one: str) -> str:
    """A number of things.

    >>> how_many(1, "row"), how_many(1200, "class")
    ('1 row', '1,200 classes')
    """
    ending = "" if count == 1 else "es" if one.endswith("s") else "s"
    return f"{count:,} {one}{ending}"


def counted(items: Iterable[Item], noun: str) -> Iterator[Item]:
    """Pass the items on, and count them where someone watches but does not see the results."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} " + noun), TimeElapsedColumn())
    page = console(stderr=True)
    with Progress(*columns, console=page, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(noun, total=None)
        for item in items:
            yield item
            progress.advance(task)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal while a loop goes on; it is told of each step's size."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    page = console(stderr=True)
    with Progress(
        *columns,
        console=page,
        transient=True,
        redirect_stdout=False,
        disable=not sys.stderr.isatty(),
    ) as shown:
        task = shown.add_task(title, total=total)
        yield lambda count: shown.advance(task, count)
