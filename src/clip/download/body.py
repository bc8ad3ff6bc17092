"""What a source sends, and the two ways in which it can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Body", "Interrupted", "Unusable"]


class Unusable(Exception):  # noqa: N818
    """The source cannot give this file, however often it is asked. Its text is the reason."""


class Interrupted(Exception):  # noqa: N818
    """The source may give the rest if it is asked again.

    Attributes:
        wait: seconds that the source asks to be left alone.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(reason)


@dataclass
class Body:
    """What a source sends.

    Attributes:
        start: position in the file of the first byte of `pieces`.
        total: size of the whole file as the source says, if it says.
        validator: ETag or date of this version of the file, if the source gives one.
        pieces: the bytes; raises `Interrupted` where they end too early.
    """

    start: int
    total: int | None
    validator: str | None
    pieces: Iterator[bytes]
